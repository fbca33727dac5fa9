"""Texts of a study file that only people can write, and that nobody has written yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from securefl.study.schema import Template

#: How such a text begins in a file that a program made.
TO_WRITE: Final = "To be written"


def unwritten(study: Template) -> list[str]:
    """Places of texts that are still to be written, as ``study.lead``."""
    found = []
    for table in ("study", "outputs"):
        values = getattr(study, table).model_dump()
        for key, value in values.items():
            if str(value).startswith(TO_WRITE):
                found.append(f"{table}.{key}")
    return found
