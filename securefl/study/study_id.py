"""A study's id and digest together: the name on pages, in folders and in logs.

An id is chosen by the researcher and may be chosen twice; twelve digits of the digest tell two
studies of one id apart.
"""

from __future__ import annotations

from dataclasses import dataclass

_DIGITS = 12


@dataclass(frozen=True)
class StudyId:
    """Names one sealed study.

    Args:
        id: as the study file says it.
        digest: of the sealed study, 64 hex characters.

    >>> StudyId("surgery-3", "c0ffee" * 10 + "c0ff").name
    'surgery-3-c0ffeec0ffee'
    """

    id: str
    digest: str

    @property
    def name(self) -> str:
        """The name on the pages: the id and the first twelve digits of the digest."""
        return f"{self.id}-{short_digest(self.digest)}"


def short_digest(digest: str) -> str:
    """The first twelve digits of a study's digest."""
    return digest[:_DIGITS]
