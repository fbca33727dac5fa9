"""Report of a fault of securefl's own: a file of the user's for its authors, not the screen."""

from __future__ import annotations

import os
import tempfile
import traceback

from securefl.errors import SecureFLError


def fault(error: Exception) -> SecureFLError:
    """Make the page's error, and write the traceback to a new file (0600).

    The user may read it before sending it on.
    """
    try:
        fd, path = tempfile.mkstemp(prefix="securefl-fault-", suffix=".txt")  # mode 0600
        with os.fdopen(fd, "w", encoding="utf-8", errors="replace") as file:
            file.write("".join(traceback.format_exception(error)))
        step = f"Report it with {path}. Read that file first: it may hold values of your own files."
    except OSError:
        step = "Report it, with what you typed."
    return SecureFLError(
        f"This is a fault of securefl ({type(error).__name__}), not of yours.",
        whose="securefl's authors",
        next_step=step,
    )
