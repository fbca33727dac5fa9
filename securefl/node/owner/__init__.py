"""Owner's use cases: one function for each thing that a data owner can see or do.

The command line and the browser console call these functions and decide nothing themselves. Each
takes a hospital's folder and what it needs from outside (a clock, a person's yes), and returns
facts: frozen dataclasses without a word of a page. A ``check_`` function raises; the others return.
"""
