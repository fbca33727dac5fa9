"""A hospital's folder: what every role has, and its ledger, its registered data sets and its
studies.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import ValidationError

from securefl.boards.route import DIRECT
from securefl.errors import DataError, UsageError
from securefl.files import erase_file, private_folder, read_secret, replace_file, write_secret
from securefl.locks import holding
from securefl.node.rotation import finish, unfinished
from securefl.party.clock import utc_now
from securefl.party.folder import NAME_RULE, WITH_PYSYFT, DatasetEntry, PartyFolder
from securefl.party.site_secret import keyed_text, split_secret
from securefl.sources.source import keyed_fingerprint
from securefl.sources.table_file import check_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from securefl.boards.route import Route
    from securefl.party.folder import RequestWord
    from securefl.privacy.ledger import Ledger
    from securefl.privacy.ledger_again import LedgerMemory
    from securefl.sources.source import Source
    from securefl.study.sealed import SealedStudy


#: Mark in a study's folder: its owner withdrew, and the agent has not ended it yet.
WITHDRAWN: Final = "withdrawn"


@dataclass(frozen=True)
class Site(PartyFolder):
    """A hospital's folder."""

    @classmethod
    def init(
        cls,
        path: Path,
        *,
        name: str,
        legal_name: str,
        email: str,
        store: str,
        requests: RequestWord = WITH_PYSYFT,
        route: Route = DIRECT,
    ) -> Self:
        """Make a hospital's folder: keys, settings and an empty ledger.

        Raises:
            UsageError: it exists already, or a field is malformed.
        """
        return cls.create(
            path,
            name=name,
            role="hospital",
            legal_name=legal_name,
            email=email,
            store=store,
            requests=requests,
            route=route,
        )

    def fill(self) -> None:
        """Keys and PySyft's folder as for every role, an empty ledger, and a hospital's folders."""
        from securefl.privacy.ledger import Ledger

        super().fill()
        card = self.identity.card
        Ledger.create(
            self.ledger_path,
            site=self.name,
            key=card.signing_public,
            sign=self.identity.sign,
            verify=card.verify,
            now=utc_now,
        ).close()
        for folder in ("private", "public", "studies", "keys/studies"):
            private_folder(self.path / folder)

    @classmethod
    def at(cls, path: Path) -> Self:
        """Open a hospital's folder.

        Raises as :meth:`PartyFolder.open`, and as :func:`securefl.node.rotation.finish`.
        """
        if unfinished(path):
            finish(path)
        return cls.open(path, "hospital")

    @property
    def ledger_path(self) -> Path:
        """The ledger's file."""
        return self.path / "ledger.sqlite"

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, opened and checked; use it in one thread."""
        from securefl.privacy.ledger import Ledger

        return Ledger.open(
            self.ledger_path,
            sign=self.identity.sign,
            verify=self.identity.card.verify,
            now=utc_now,
        )

    @cached_property
    def ledger_memory(self) -> LedgerMemory:
        """What this process has checked of the ledger's file, for a screen that reads it often; use
        it in one thread.
        """
        from securefl.privacy.ledger_again import LedgerMemory

        return LedgerMemory(self.ledger_path)

    def refreshed(self) -> Self:
        """The folder with its settings as they are now: the owner's commands change them while the
        agent runs. Ledger and keys stay open.
        """
        fresh = self.at(self.path)
        if fresh.settings == self.settings:
            return self
        fresh.__dict__.update(
            {k: v for k, v in self.__dict__.items() if k not in {"path", "settings", "store"}}
        )
        return fresh

    def deciding(self) -> AbstractContextManager[None]:
        """One decision at a time, and no reply leaves the house while one is taken: the owner's no
        comes before it or after it.
        """
        return holding(self.path / "deciding.lock")

    @contextmanager
    def listing(self) -> Iterator[None]:
        """Held while the list of partners changes, by the keys that are this hospital's now: what
        replaced ones sign cannot be read.

        It is the lock of :meth:`deciding`; whoever holds that one must not change the list.

        Raises:
            UsageError: the keys were replaced since this process read them.
            LedgerAlteredError, UnreadableError: the ledger cannot say which keys they are.
        """
        from securefl.privacy.ledger_reading import read_ledger

        card = self.identity.card
        with self.deciding():
            if (
                read_ledger(self.ledger_path, card.verify).require().at.state.key
                != card.signing_public
            ):
                raise UsageError(
                    "The keys of this hospital were replaced meanwhile; the list of partners is as"
                    " it was.",
                    next_step="Repeat the command.",
                )
            yield

    # Data sets

    def with_dataset(
        self,
        name: str,
        source: Source,
        population: str,
        *,
        origin: str = "",
        sheet: str = "",
    ) -> Self:
        """Register a table for a population, in the settings and in the ledger. Studies will read
        it as ``source`` says. Where that was taken out of another file, ``origin`` names it.

        Raises:
            UsageError: the name stands for another population already, or one of the two is no
                name.
            DataError: the file is not there, or lies inside the folder that PySyft shares.
        """
        check_name(source.path)
        table = source.path.expanduser().absolute()
        if not table.is_file():
            raise DataError(f"{table} is not a file.", next_step="Name the table's file.")
        if table.resolve().is_relative_to(self.datasite.resolve()):
            raise DataError(
                "The private table lies inside the folder that PySyft shares.",
                next_step=f"Keep it outside {self.datasite}.",
            )
        inside = table.is_relative_to(self.path)
        try:
            entry = DatasetEntry(
                name=name,
                population=population,
                source=source.kind,
                path=str(table.relative_to(self.path) if inside else table),
                origin=origin,
                sheet=sheet,
                encoding=source.reading.encoding,
                separator=source.reading.separator,
                decimal=source.reading.decimal,
            )
        except ValidationError as error:
            field = str(error.errors()[0]["loc"][0])
            what = {
                "name": f"'{name}' cannot be the name of a data set",
                "population": f"'{population}' cannot be the name of a population",
            }.get(field, f"{table} is too long a path")
            raise UsageError(f"{what}.", next_step=NAME_RULE) from None
        known = next((d for d in self.settings.datasets if d.name == name), None)
        if known is not None and known.population != population:
            raise UsageError(
                f"'{name}' is registered for the population '{known.population}'.",
                next_step="Choose another name.",
            )
        snapshot = source.fingerprint(self.secret)
        self.ledger.register_dataset(name, population=population, snapshot=snapshot)
        others = tuple(d for d in self.settings.datasets if d.name != name)
        return self.save(self.settings.model_copy(update={"datasets": (*others, entry)}))

    def other_file(
        self,
        name: str,
        table: Path,
        population: str,
    ) -> Path | None:
        """The file for which ``name`` stands now, where that is another one than ``table`` and of
        the same population.
        """
        known = next(
            (d for d in self.settings.datasets if (d.name, d.population) == (name, population)),
            None,
        )
        if known is None:
            return None
        file = self.path / (known.origin or known.path)
        if file == table.expanduser().absolute():
            return None
        return file

    def dataset(self, name: str) -> DatasetEntry:
        """The registered data set. Raises :class:`UsageError` for an unknown name."""
        for entry in self.settings.datasets:
            if entry.name == name:
                return entry
        raise UsageError(
            f"No data set '{name}' is registered here.",
            next_step=f"`securefl site data add {name} FILE --population NAME --columns FILE`",
        )

    def table(self, dataset: str) -> Source:
        """The table of a registered data set, read with the mapping that its owner signed.

        Raises:
            UsageError: as :meth:`dataset`.
            UnreadableError: the mapping is gone, or not what this hospital signed.
        """
        from securefl.node.mappings import kept_mapping

        source = self.dataset(dataset).table(self.path)
        mapping = kept_mapping(self, dataset)
        if mapping is None:
            return source
        return replace(source, reading=replace(source.reading, mapping=mapping))

    def keyed_snapshot(self, sha256: str) -> str:
        """A table's fingerprint from its SHA-256 (hex): the worker, which has no secret, takes that
        of what it reads.
        """
        return keyed_fingerprint(self.secret, sha256)

    def keyed(self, text: str) -> str:
        """HMAC-SHA256 (hex) of a text with this site's secret."""
        return keyed_text(self.secret, text)

    def split_secret(self, population: str) -> bytes:
        """32 bytes that decide who is held out: one per population, the same in every study."""
        return split_secret(self.secret, population)

    # Studies

    def study_folder(self, digest: str) -> Path:
        """Folder of a study at this hospital: its text, approval and contributions."""
        return self.path / "studies" / digest

    def keep_study(self, sealed: SealedStudy) -> None:
        """Keep a study that was asked for."""
        folder = private_folder(self.study_folder(sealed.digest))
        replace_file(folder / "study.toml", sealed.text)

    def new_study_key(self, digest: str) -> X25519PrivateKey:
        """A fresh agreement key for one study; kept 0600 until the study ends.

        One left from an interrupted approval is replaced.
        """
        key = X25519PrivateKey.generate()
        path = self._study_key(digest)
        private_folder(path.parent)
        path.unlink(missing_ok=True)
        write_secret(path, key.private_bytes_raw())
        return key

    def study_key(self, digest: str) -> X25519PrivateKey:
        """The study's agreement key. Raises ``UnreadableError`` when it is gone."""
        return X25519PrivateKey.from_private_bytes(read_secret(self._study_key(digest), 32))

    def end_study(self, digest: str) -> None:
        """Erase what only a study that goes on needs: its agreement key, the key of its run, and
        its kept rounds, which may be large. Harmless when they are gone. What left the house stays
        in the ledger by its hash.
        """
        self.erase_study_key(digest)
        erase_file(self.study_folder(digest) / "run.key")
        (self.study_folder(digest) / WITHDRAWN).unlink(missing_ok=True)
        for kept in ("contributions", "accepted", "totals"):
            shutil.rmtree(self.study_folder(digest) / kept, ignore_errors=True)

    def has_study_key(self, digest: str) -> bool:
        """True from the approval until :meth:`end_study`."""
        return self._study_key(digest).exists()

    def erase_study_key(self, digest: str) -> None:
        """Erase the study's agreement key: its masks can never be made again.

        Harmless when it is gone.
        """
        erase_file(self._study_key(digest))

    def _study_key(self, digest: str) -> Path:
        return self.keys / "studies" / f"{digest}.key"
