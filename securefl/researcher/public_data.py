"""Data sets as their hospitals signed them, for a researcher to look at."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from securefl.errors import MessageError
from securefl.federation.study_request import request_way
from securefl.party.dataset_statement import open_public
from securefl.party.shown_datasets import board_datasets
from securefl.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from securefl.identity import IdentityCard
    from securefl.party.folder import PartyFolder


@dataclass(frozen=True, repr=False)
class PublicDataset(Shown):
    """Public side of a data set, as its hospital signed it.

    Whose patients, its declared columns, its mock table. ``description`` holds the fields of a
    study's ``[data]`` section. Where the files in the store are not what the hospital signed,
    ``fault`` says why, and there is neither a description nor a mock table. ``without_pysyft``: the
    hospital has no datasite, and showed it on the board.
    """

    site: str
    name: str
    description: dict[str, Any]
    _mock: bytes = field(repr=False)
    fault: str = ""
    without_pysyft: bool = False

    def _shown(self) -> list[tuple[str, str]]:
        names = ", ".join(str(column["name"]) for column in self.description.get("columns", ()))
        return [
            ("name", f"{self.site}/{self.name}"),
            ("columns", names or "none to be trusted"),
            *([("fault", self.fault)] if self.fault else []),
        ]

    def mock(self) -> pd.DataFrame:
        """Read invented rows with the declared columns, ranges and levels.

        Nothing in them comes from a patient.

        Raises:
            MessageError: the hospital did not sign these.
        """
        import pandas as pd

        if self.fault:
            raise MessageError(
                self.fault,
                whose=self.site,
                next_step=(
                    f"Ask {self.site} whether its agent runs; use nothing of this data set until"
                    " then."
                ),
            )
        return pd.read_csv(io.BytesIO(self._mock))


def hospitals_off_board(lab: PartyFolder) -> tuple[str, ...]:
    """Names of the listed hospitals that take requests without PySyft, as each has signed.

    Raises:
        StoreError: the store cannot be reached.
    """
    hospitals = [card for card in lab.book.cards().values() if card.role == "hospital"]
    return tuple(card.name for card in hospitals if request_way(lab.board, card) is not None)


def datasets_off_board(lab: PartyFolder, sites: Collection[str]) -> list[PublicDataset]:
    """Check the data sets that hospitals without PySyft show on the board.

    Args:
        lab: the researcher's folder.
        sites: those hospitals' names.

    Raises:
        StoreError: the store cannot be reached.
    """
    cards = lab.book.cards()
    found = []
    for site in sites:
        for shown in board_datasets(lab.board, cards[site]):
            checked = verified_dataset(site, cards[site], shown.name, shown.statement, shown.mock)
            found.append(replace(checked, without_pysyft=True))
    return found


def verified_dataset(
    site: str,
    card: IdentityCard | None,
    name: str,
    statement: bytes | None,
    mock: bytes,
) -> PublicDataset:
    """Check a data set's public side against its hospital's signature.

    One that fails the check says why.

    Args:
        site: the hospital's name.
        card: the hospital's, of the researcher's own list; None where it is not there.
        name: under which the data set is shown.
        statement: the hospital's signed statement as it lies in the store.
        mock: the mock table as it lies there.
    """
    why = ""
    if card is None or card.role != "hospital":
        why = f"{site} is not in your list as a hospital."
    elif statement is None:
        why = f"{site} did not sign it."
    if why or card is None or statement is None:
        fault = f"The data set {name} of {site} is not shown: {why}"
        return PublicDataset(site, name, {}, b"", fault)
    try:
        side = open_public(statement, mock, card=card, dataset=name)
    except MessageError as error:
        return PublicDataset(site, name, {}, b"", error.what)
    description = {**side.data, "population": side.population}
    return PublicDataset(site, name, description, mock)
