"""Owner's use cases: one function for each thing that a data owner can see or do.

The command line and the browser console call these functions and decide nothing themselves. A
function takes a hospital's folder and what it needs from outside (the time, a text), and returns
facts: frozen dataclasses, not a page. What cannot be undone is in two: ``plan_x`` says what would
happen and writes nothing; after a person's yes, ``x`` does it. A ``check_`` function raises.
"""
