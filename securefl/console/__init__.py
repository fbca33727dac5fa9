"""Console: the owner's use cases as local pages in a browser, on this machine alone.

A page reads from :mod:`securefl.node.owner` and draws; an act calls one of its functions. No rule
of a hospital stands here.
"""
