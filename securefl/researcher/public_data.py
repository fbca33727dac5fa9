"""Data sets as their hospitals signed them, for a researcher to look at."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from securefl.datasite.address import site_name
from securefl.errors import MessageError
from securefl.party.dataset_statement import open_public
from securefl.shown import Shown

if TYPE_CHECKING:
    import pandas as pd

    from securefl.datasite.models import DatasetInfo
    from securefl.identity import IdentityCard


@dataclass(frozen=True, repr=False)
class PublicDataset(Shown):
    """Public side of a data set, as its hospital signed it.

    Whose patients, its declared columns, its mock table. ``description`` holds the fields of a
    study's ``[data]`` section. Where the files in the store are not what the hospital signed,
    ``fault`` says why, and there is neither a description nor a mock table.
    """

    site: str
    name: str
    description: dict[str, Any]
    _mock: bytes = field(repr=False)
    fault: str = ""

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


def verified_dataset(
    card: IdentityCard | None,
    info: DatasetInfo,
    statement: bytes | None,
    mock: bytes,
) -> PublicDataset:
    """Check a data set's public side against its hospital's signature.

    One that fails the check says why.

    Args:
        card: the hospital's, of the researcher's own list; None where it is not there.
        info: what PySyft says of the data set.
        statement: the hospital's signed statement as it lies in the store.
        mock: the mock table as it lies there.
    """
    site = site_name(info.owner)
    if card is None or card.role != "hospital":
        return PublicDataset(
            site,
            info.name,
            {},
            b"",
            f"The data set {info.name} of {site} is not shown: {site} is not in your list as a"
            " hospital.",
        )
    if statement is None:
        return PublicDataset(
            site,
            info.name,
            {},
            b"",
            f"The data set {info.name} of {site} is not shown: {site} did not sign it.",
        )
    try:
        side = open_public(statement, mock, card=card, dataset=info.name)
    except MessageError as error:
        return PublicDataset(site, info.name, {}, b"", error.what)
    return PublicDataset(
        site,
        info.name,
        {**side.data, "population": side.population},
        mock,
    )
