"""A party's own folder: its settings (one TOML file), its keys, its signed list of partners.

Nobody else reads it.
"""

from __future__ import annotations

import os
import re
import secrets
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from securefl.boards.board import check_writable
from securefl.boards.marker import known_marker, remember
from securefl.boards.opening import open_board
from securefl.boards.route import DIRECT, Route
from securefl.boards.url import usable_url
from securefl.errors import UnreadableError, UsageError, file_error
from securefl.files import (
    made_whole,
    private_folder,
    read_file,
    read_secret,
    replace_file,
    write_secret,
)
from securefl.identity import Identity, Role
from securefl.learning.reading import Reading, known_encoding
from securefl.locks import holding
from securefl.partners import AddressBook
from securefl.party.clock import utc_now
from securefl.party.folder_version import (
    check_not_newer,
    check_schema,
    note_version,
    settings_fault,
)
from securefl.registry import NAME
from securefl.sources.source import SOURCES, USUAL_KIND
from securefl.study.fields import Line, Name, Section
from securefl.study.seal import dump_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from securefl.boards.board import Board
    from securefl.sources.source import Source

#: The settings file's name tells whose folder it is.
FILE_NAMES: Mapping[Role, str] = {
    "hospital": "site.toml",
    "researcher": "researcher.toml",
    "aggregator": "aggregator.toml",
}
#: What a refusal of a name tells the one who typed it.
NAME_RULE = (
    "Names start with a letter and have letters (a to z, without accents or umlauts), digits, '-'"
    " and '_', at most 40 characters: 'thyroid-referrals'."
)
_LINE_RULE = (
    "Write it on one line: 1 to 400 characters, without line breaks and other characters that a"
    " screen obeys."
)
#: What a refusal says and advises for each field of the settings.
_FIELD_WORDS: Mapping[str, tuple[str, str]] = {
    "name": ("{value!r} cannot be a party's name", NAME_RULE),
    "legal_name": ("The legal name {value!r} cannot stand in a party's settings", _LINE_RULE),
    "email": ("The address {value!r} cannot stand in a party's settings", _LINE_RULE),
    "store": (
        "The store {value!r} cannot stand in a party's settings",
        "Name a folder or a URL of at most 4,096 characters.",
    ),
}
#: How a hospital takes requests: through its PySyft datasite, or off the board without PySyft.
RequestWord = Literal["pysyft", "board"]
WITH_PYSYFT: Final = "pysyft"
WITHOUT_PYSYFT: Final = "board"
#: A settings file is a few lines for each data set.
_MAX_SETTINGS = 4 * 1024 * 1024
_COMMANDS: Mapping[Role, str] = {
    "hospital": "securefl site init",
    "researcher": "securefl study init",
    "aggregator": "securefl aggregator init",
}


class DatasetEntry(Section):
    """A registered data set: its population, the kind of its source, its file's path (relative to
    the folder, or absolute), and how it is read.

    The last is what the owner said or saw when the table was registered: each study's worker reads
    it in this way. A table that was taken out has an ``origin``: the file (and its ``sheet``) that it was taken out
    of.
    """

    name: Name
    population: Name
    source: Annotated[str, Field(pattern=NAME.pattern)] = USUAL_KIND
    path: Annotated[str, Field(min_length=1, max_length=4096)]
    origin: Annotated[str, Field(max_length=4096)] = ""
    sheet: Annotated[str, Field(max_length=400)] = ""
    encoding: Annotated[str, Field(min_length=1, max_length=40)] = "utf-8"
    separator: Literal[",", ";", "\t", "|"] = ","
    decimal: Literal[".", ","] = "."

    @model_validator(mode="after")
    def _known_encoding(self) -> Self:
        if known_encoding(self.encoding) != self.encoding:
            raise ValueError(f"{self.encoding!r} is no encoding that tables are read in")
        return self

    @property
    def reading(self) -> Reading:
        """Reading of the table."""
        return Reading(self.encoding, self.separator, self.decimal)

    def table(self, folder: Path) -> Source:
        """The table itself.

        Args:
            folder: the hospital's.

        Raises:
            UsageError: its kind is not known here.
        """
        return SOURCES[self.source](folder / self.path, self.reading)


class Settings(Section):
    """Settings in the folder's TOML file; public facts and paths, never a secret."""

    schema_: Literal["securefl-party/1"] = Field(alias="schema")
    name: Name
    role: Literal["hospital", "researcher", "aggregator"]
    legal_name: Line
    email: Line
    store: Annotated[str, Field(min_length=1, max_length=4096)]
    store_proxy: Annotated[str, Field(max_length=4096)] = ""
    store_ca: Annotated[str, Field(max_length=4096)] = ""
    requests: RequestWord = WITH_PYSYFT
    datasets: tuple[DatasetEntry, ...] = ()

    def dump(self) -> str:
        """The settings as TOML text."""
        raw = {k: getattr(self, k) for k in ("name", "role", "legal_name", "email", "store")}
        # What is as usual is not written: an older version goes on reading the folder.
        usual = {"store_proxy": "", "store_ca": "", "requests": WITH_PYSYFT}
        raw |= {k: getattr(self, k) for k, v in usual.items() if getattr(self, k) != v}
        # What a data set does not use is not written: an older version, which may not know it, goes
        # on reading the folder.
        tables = [d.model_dump(exclude_defaults=True) for d in self.datasets]
        return dump_toml(
            {"schema": self.schema_, **raw, **({"datasets": tables} if tables else {})}
        )


@dataclass(frozen=True)
class PartyFolder:
    """A folder of any role; :class:`securefl.node.site.Site` is a hospital's."""

    path: Path
    settings: Settings

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        name: str,
        role: Role,
        legal_name: str,
        email: str,
        store: str,
        requests: RequestWord = WITH_PYSYFT,
        route: Route = DIRECT,
    ) -> Self:
        """Make keys and settings in ``path``, all or nothing; refuses a folder that has them. The
        store is tried first.

        ``requests``: how a hospital takes them; for other roles it says nothing. ``route``: how a
        store on a server is reached.

        Raises:
            UsageError: the folder is a party's already, or a field is malformed.
            StoreError: the store cannot be written and read.
            UnreadableError: the file system refuses, or keeps no permissions.
        """
        taken = [n for n in FILE_NAMES.values() if (path / n).exists()]
        if taken:
            raise UsageError(
                f"{path} is a party's folder already ({taken[0]}).",
                next_step="Choose another folder; keys are never overwritten.",
            )
        if not re.fullmatch(r"[^\s@]+@[^\s@]+", email):
            raise UsageError(
                f"'{email}' is not an address: something@something.",
                next_step="Give --email the address of a person who can be asked; no mail is sent.",
            )
        fields = {
            "name": name,
            "legal_name": legal_name,
            "email": email,
            "store": usable_url(store),
        }
        try:
            settings = Settings.model_validate(
                {
                    "schema": "securefl-party/1",
                    "role": role,
                    "requests": requests,
                    "store_proxy": route.proxy,
                    "store_ca": route.ca_file,
                    **fields,
                }
            )
        except ValidationError as error:
            field = str(error.errors()[0]["loc"][0])
            what, step = _FIELD_WORDS[field]
            raise UsageError(f"{what.format(value=fields[field])}.", next_step=step) from None
        reached = open_board(settings.store, route=route)
        check_writable(reached)
        with made_whole(path, FILE_NAMES[role]) as building:
            made = cls(building, settings)
            made.fill()
            remember(building, reached)
            note_version(building)
            replace_file(building / FILE_NAMES[role], settings.dump().encode())
        return cls(path, settings)

    def fill(self) -> None:
        """Make what a party of this role begins with: keys, and the folder that PySyft shares."""
        mine = self.settings
        Identity.generate(mine.name, mine.role, mine.legal_name, mine.email).save(
            private_folder(self.keys)
        )
        write_secret(self.keys / "site.secret", secrets.token_bytes(32))
        if self.has_pysyft:
            private_folder(self.datasite)

    @classmethod
    def open(cls, path: Path, role: Role) -> Self:
        """Read the settings of a folder of that role.

        Raises:
            UsageError: it is not such a folder.
            UnreadableError: the settings file is broken.
        """
        file = path / FILE_NAMES[role]
        try:
            raw = tomllib.loads(read_file(file, _MAX_SETTINGS).decode("utf-8"))
            check_schema(path, raw.get("schema"))
            check_not_newer(path)
            settings = Settings.model_validate({**raw, "datasets": tuple(raw.get("datasets", ()))})
        except (FileNotFoundError, NotADirectoryError):
            raise wrong_folder(path, role) from None
        except OSError as error:
            raise file_error(error, file) from None
        except ValidationError as error:
            raise settings_fault(file, error) from None
        except (ValueError, TypeError) as error:
            raise UnreadableError(
                f"{file} cannot be read: {str(error).splitlines()[0]}.",
                next_step="Mend it or restore it from your backup.",
            ) from None
        note_version(path)
        return cls(path, settings)

    def save(self, settings: Settings) -> Self:
        """The folder with new settings, written to disk."""
        replace_file(self.path / FILE_NAMES[settings.role], settings.dump().encode())
        return type(self)(self.path, settings)

    @property
    def name(self) -> str:
        """The party's name."""
        return self.settings.name

    @property
    def keys(self) -> Path:
        """The folder of private keys."""
        return self.path / "keys"

    @cached_property
    def identity(self) -> Identity:
        """The party's keys, checked."""
        return Identity.load(self.keys)

    @cached_property
    def book(self) -> AddressBook:
        """The party's own list of partners."""
        return AddressBook(self.keys / "partners", self.identity, self.listing, utc_now)

    def listing(self) -> AbstractContextManager[None]:
        """Held while the list of partners changes: one process at a time."""
        return holding(self.path / "partners.lock")

    @cached_property
    def board(self) -> Board:
        """The board; one that is not the one that this party used before is refused at its first
        use.
        """
        return open_board(self.settings.store, known_marker(self.path), self.route)

    @property
    def route(self) -> Route:
        """How the store is reached; a file of authorities may be named from this folder on."""
        ca_file = self.settings.store_ca
        return Route(
            self.settings.store_proxy,
            str(self.path / ca_file) if ca_file else "",
        )

    @cached_property
    def secret(self) -> bytes:
        """32 bytes for keyed hashes; they never leave this folder."""
        return read_secret(self.keys / "site.secret", 32)

    @property
    def has_pysyft(self) -> bool:
        """True if requests come through PySyft, as the settings say."""
        return self.settings.requests == WITH_PYSYFT

    @property
    def datasite(self) -> Path:
        """PySyft's synced folder."""
        return self.path / "syftbox"


def wrong_folder(path: Path, role: Role) -> UsageError:
    """The error for a folder that is not one of that role."""
    article = "a"
    if role == "aggregator":
        article = "an"
    return UsageError(
        f"{path} has no {FILE_NAMES[role]}: it is not {article} {role}'s folder.",
        next_step=f"Go to the folder, name it, or make one with `{_COMMANDS[role]}`.",
    )


def find_folder(given: str | None, variable: str) -> Path:
    """The folder named on the command line, else by the environment variable, else the current one."""
    return Path(given or os.environ.get(variable) or ".").expanduser().absolute()
