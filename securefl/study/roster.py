"""Roster of a study: every party once, in one role, under a name of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from securefl.study.fields import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable


class Keyed(Protocol):
    """Fields of a party that the check needs."""

    @property
    def name(self) -> str:
        """Its name in the study."""

    @property
    def signing_public(self) -> str:
        """Ed25519, hex."""

    @property
    def sealing_public(self) -> str:
        """X25519, hex."""


def check_distinct(parties: Iterable[tuple[tuple[str | int, ...], Keyed]]) -> None:
    """Check that nobody takes part twice, under one name or with one key.

    Such a party's word would count double. Names that differ in case only count as one, because
    stores and file systems exist that do not tell them apart.

    Args:
        parties: each with its path in the study file.

    Raises:
        Fault: at the first name or key that stood before.
    """
    names: dict[str, str] = {}
    keys: dict[str, str] = {}
    for path, party in parties:
        same = names.get(party.name.casefold())
        if same is not None:
            raise Fault(
                f"{same} stands in the study before; every party has a name of its own, whatever"
                " its case",
                *path,
                "name",
            )
        for where in ("signing_public", "sealing_public"):
            owner = keys.get(getattr(party, where))
            if owner is not None:
                raise Fault(
                    f"this is the key of {owner}; nobody takes part twice or in two roles",
                    *path,
                    where,
                )
        names[party.name.casefold()] = party.name
        keys |= dict.fromkeys((party.signing_public, party.sealing_public), party.name)
