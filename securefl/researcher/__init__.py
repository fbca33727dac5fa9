"""A researcher at work: the run of an approved study, and what it leaves behind.

The door to it is :mod:`securefl.api`.
"""
