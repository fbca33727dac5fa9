"""Airlock: a board carried by files, through a review, between places that share no store.

:mod:`kinds` says what an object is by its path, :mod:`checks` holds its bytes to that, :mod:`manifest`
is the sender's word on a bundle, :mod:`bundle` reads and checks one, :mod:`channel` remembers which
bundles went and came, :mod:`exporting` and :mod:`importing` move objects. Page: ``docs/airlock.md``.
"""
