"""A researcher at work: the run of an approved study, and what it leaves behind.

The door to it is :mod:`securefl.api`.
"""

from securefl.doors import lazy_door

__getattr__ = lazy_door(
    __name__, {"Result": "results", "run_once": "running", "save_result": "results"}
)
