"""The researcher's door: connect, look at mock data, make a study, request it, run it, use the
model.

>>> import securefl as sf                                       # doctest: +SKIP
>>> lab = sf.connect("researcher")                              # the folder that `securefl study init` made
>>> lab.ask("SVI", "STMW")                                      # once: ask the datasites to accept you
>>> mock = lab.datasets()[0].mock()                             # a pandas DataFrame, invented rows
>>> study = sf.Study.new(lab, "protocol.toml", hospitals=["SVI", "STMW"], aggregator="sums")
>>> study.request()
>>> study.wait()                                                # until every data owner has signed
>>> result = study.run(watch=print)
>>> result.model.predict(mock)
"""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from securefl.agreement.sealed import SealedAgreement
from securefl.backoff import persist, poll
from securefl.datasite.address import site_email, site_name
from securefl.datasite.site import open_datasite
from securefl.environment import software
from securefl.errors import NotApprovedError, StudyError, UsageError
from securefl.federation.round_plan import RoundPlan
from securefl.files import read_given, replace_file
from securefl.identity import IdentityCard, as_it_was_sent, read_card
from securefl.learning.graphs.graph_template import read_template
from securefl.party.folder import PartyFolder
from securefl.party.pysyft_keys import publish_pysyft_keys
from securefl.party.study_names import fit_words, meant, meant_version
from securefl.party.vouch import plan_vouched_trust, trust_vouched
from securefl.privacy.accounting import PldAccountant
from securefl.report.explain_study import worst_epsilon
from securefl.researcher.agreement_check import check_agreed
from securefl.researcher.asking import (
    causes,
    refuse_if_over,
    run_words,
    send_request,
    shown_states,
    states,
    without_pysyft,
)
from securefl.researcher.parties import card_fields, party_fields
from securefl.researcher.public_data import (
    PublicDataset,
    datasets_off_board,
    hospitals_off_board,
    verified_dataset,
)
from securefl.researcher.study_beginning import check_not_cancelled
from securefl.researcher.study_life import StudyLife
from securefl.shown import Shown
from securefl.study.consistency import check_consistency
from securefl.study.dates import check_not_over
from securefl.study.parse import MAX_BYTES
from securefl.study.seal import seal_study
from securefl.study.sealed import SealedStudy, UnsealedStudy
from securefl.study.shares import shares
from securefl.study.stages import makes_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from securefl.federation.exchange import Waiting
    from securefl.federation.round_record import RoundRecord
    from securefl.learning.artefact import Model
    from securefl.learning.model_versions import ModelVersion
    from securefl.researcher.results import Result
    from securefl.study.schema import Study as StudyFile

__all__ = ["Lab", "PublicDataset", "Study", "connect", "load_model"]


def connect(folder: str | Path) -> Lab:
    """Open a researcher's folder.

    Raises:
        UsageError: it is not one; `securefl study init` makes it.
    """
    return Lab(PartyFolder.open(Path(folder).expanduser().absolute(), "researcher"))


def load_model(folder: str | Path, *, anyway: bool = False) -> Model:
    """Open a model folder: ``model.predict(frame)`` scores rows.

    ``model.intended_use`` says what it is for. The folder is not signed: weights and card are tied
    to ``model.json``, and nothing ties that to the study. Whoever can write the folder can rewrite
    all three; compare ``model.digest`` with the one that the researcher announced.

    One that expired or was recalled refuses to predict, unless ``anyway`` is given: for a study of
    the past. Notices on the model are Python warnings here.

    Raises:
        UnreadableError: it is not a model, or weights or card are not those that ``model.json``
            names.
    """
    from securefl.learning.artefact import load_model as load

    model = load(Path(folder), anyway=anyway)
    for sentence in model.standing().sentences:
        warnings.warn(sentence, stacklevel=2)
    return model


def _bytes_of(given: bytes | str | Path) -> bytes:
    """Bytes as they were given, or those of a file."""
    if isinstance(given, bytes):
        return given
    return read_given(Path(given))


class Lab(Shown):
    """A researcher at work. Slow parts (PySyft) are opened for each call and closed again."""

    def __init__(self, folder: PartyFolder) -> None:
        self.folder = folder
        self.email = site_email(folder.name)

    def _shown(self) -> list[tuple[str, str]]:
        return [
            ("name", self.folder.name),
            ("folder", str(self.folder.path)),
            ("store", self.folder.settings.store),
            ("studies", f"{len(self.studies())}"),
        ]

    def trust(
        self,
        card: bytes | str | Path,
        *,
        vouch: bytes | str | Path | None = None,
    ) -> IdentityCard:
        """Add a card whose fingerprint was compared with its owner.

        Args:
            card: the card, or its file.
            vouch: a hospital's word for it, in place of the comparison
                (:mod:`securefl.party.vouch`).

        Raises:
            MessageError, UntrustedError: the card or the word does not count.
        """
        found = read_card(as_it_was_sent(_bytes_of(card)))
        if vouch is None:
            self.folder.book.trust(found)
            return found
        now = datetime.now(UTC)
        plan = plan_vouched_trust(self.folder.book, found, _bytes_of(vouch), now)
        trust_vouched(self.folder.book, plan)
        return found

    def partners(self) -> list[IdentityCard]:
        """The cards trusted here."""
        return list(self.folder.book.cards().values())

    def ask(self, *sites: str) -> None:
        """Ask datasites to accept this researcher as a PySyft peer.

        They do once their owner trusts its card. A hospital without PySyft needs no asking.

        Raises:
            UsageError: one is not a hospital of this researcher's list; nobody was asked.
        """
        for site in sites:
            party_fields(self.folder, site, "hospital")
        off_board = hospitals_off_board(self.folder)
        peers = [site for site in sites if site not in off_board]
        if not peers:
            return
        with open_datasite(
            self.folder.board,
            self.email,
            self.folder.datasite,
            "researcher",
        ) as desk:
            publish_pysyft_keys(
                self.folder.board, self.folder.identity, self.email, desk.fingerprint
            )
            for site in peers:
                desk.request_peer(site_email(site))
            desk.sync()

    def datasets(self) -> list[PublicDataset]:
        """List data sets of all datasites that have accepted this researcher, and those that hospitals
        without PySyft show on the board.

        Each is checked against its hospital's signature. One whose files in the store are not those
        that the hospital signed is listed with the ``fault`` and without its content.
        """
        off_board = hospitals_off_board(self.folder)
        found = datasets_off_board(self.folder, off_board)
        hospitals = [c.name for c in self.partners() if c.role == "hospital"]
        if off_board and set(hospitals) <= set(off_board):
            return sorted(found, key=lambda d: (d.site, d.name))
        with open_datasite(
            self.folder.board,
            self.email,
            self.folder.datasite,
            "researcher",
        ) as desk:
            desk.sync()
            shown = [
                (info, info.statement, info.mock.read_bytes())
                for info in desk.datasets()
                if info.mock is not None
            ]
        cards = self.folder.book.cards()
        for info, statement, mock in shown:
            site = site_name(info.owner)
            if site not in off_board:  # what its datasite showed before is no longer its word
                found.append(verified_dataset(site, cards.get(site), info.name, statement, mock))
        return sorted(found, key=lambda d: (d.site, d.name))

    def studies(self) -> list[Study]:
        """Studies made here. One that this version cannot read is left out with a warning."""
        root = self.folder.path / "studies"
        found = []
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            if not (folder / "study.toml").exists():
                continue
            try:
                found.append(Study.open(self, folder))
            except StudyError as error:
                first = error.what.splitlines()[0]
                warnings.warn(f"{folder} is left out: {first}", stacklevel=2)
        return found

    def model_versions(self, name: str) -> tuple[ModelVersion, ...]:
        """Versions of a completed study's model: all it grew from, and all that grew from it.

        Raises:
            UsageError: no completed study fits the name, or several do.
        """
        from securefl.learning.model_versions import line_of
        from securefl.researcher.model_lines import known_versions

        known = known_versions(self.folder, self.studies())
        return line_of(known, meant_version(name, known).digest)

    def study(self, name: str) -> Study:
        """Find the study that is meant by ``name``.

        Its id, its whole name, its digest, or a beginning that fits one only.

        Raises:
            UsageError: none or several fit.
        """
        there = {s.sealed.id: s for s in self.studies()}
        fits = meant(name, there)
        if len(fits) != 1:
            listed = ", ".join(study.name for study in fits or there) or "none"
            said = (
                f"{fit_words(len(fits), 'study', 'studies', name)}"
                f" {'They are' if fits else 'There are'}: {listed}."
            )
            raise UsageError(
                said, next_step="Name one of them." if there else "`securefl study new` makes one."
            )
        return there[fits[0]]


class Study(StudyLife, Shown):
    """A sealed study in the researcher's folder.

    Args:
        lab: whose study it is.
        folder: where it is kept.
        sealed: what stands in the folder's ``study.toml``.
    """

    def __init__(self, lab: Lab, folder: Path, sealed: SealedStudy) -> None:
        self._lab = lab
        self.folder = folder
        self.sealed = sealed

    @classmethod
    def open(cls, lab: Lab, folder: Path) -> Self:
        """Read a study that was made before.

        Raises:
            UnreadableError: there is none.
            StudyError: it is no valid study.
        """
        return cls(lab, folder, SealedStudy.read(read_given(folder / "study.toml")))

    @classmethod
    def new(
        cls,
        lab: Lab,
        protocol: str | Path,
        *,
        hospitals: Sequence[str],
        aggregator: str,
        study_id: str | None = None,
        weights: dict[str, str] | None = None,
        weight_source: str | None = None,
        agreement: str | Path | None = None,
        continues: str | None = None,
    ) -> Self:
        """Add parties, keys, software and initial weights to a protocol and seal it.

        Args:
            lab: the researcher; hospitals and aggregator must be in its own list.
            protocol: a protocol file.
            hospitals: names of the participants.
            aggregator: name of the aggregator.
            study_id: replaces the protocol's id; with it the same protocol makes another study.
            weights: hospital → share of the normaliser ("1/5"), for all of them, exactly 1
                together; equal by default.
            weight_source: the published figures that the weights follow; needed with them.
            agreement: the consortium's ``agreement.toml``, which the study then names.
            continues: name or digest of a completed study of this folder, from whose model this one
                starts; the protocol may name its digest instead.

        Raises:
            StudyError: the protocol or the study is invalid, its time is over, or it goes beyond
                an article of the agreement.
            UsageError: somebody is not in the researcher's list, the weights do not add up to
                exactly 1, or exactly this study was made before: a study runs once.
        """
        from securefl.researcher.earlier_study import started

        unsealed = UnsealedStudy.read(read_template(Path(protocol)))
        unsealed = started(lab.study, unsealed, continues)
        plain = unsealed.study
        check_not_over(plain, datetime.now(UTC), unsealed.text.decode())
        weighed = shares(hospitals, weights, weight_source)
        participants = [
            {**party_fields(lab.folder, h, "hospital"), "weight": weight, "weight_source": source}
            for h, (weight, source) in weighed.items()
        ]
        me = lab.folder.identity.card
        agreed = None
        agreed_digest = None
        if agreement is not None:
            agreed = SealedAgreement.read(read_given(Path(agreement), MAX_BYTES))
            agreed_digest = agreed.digest
        sealed = seal_study(
            unsealed,
            coordinator=card_fields(me),
            aggregator=party_fields(lab.folder, aggregator, "aggregator"),
            participants=participants,
            software=software(),
            study_id=study_id,
            agreement=agreed_digest,
        )
        check_consistency(sealed.study, PldAccountant(), sealed.text.decode())
        if agreed is not None:
            check_agreed(lab.folder, agreed, sealed.study, datetime.now(UTC))
        folder = lab.folder.path / "studies" / sealed.name
        if folder.exists():
            raise UsageError(
                f"{folder.name} is made already: the same protocol, parties and keys make the same"
                " study, and a study runs once.",
                whose="the researcher",
                next_step=(
                    "For another study: `securefl study new ... --id NAME` (study_id=NAME in"
                    f" Python). To go on with this one: `securefl study request {folder.name}`."
                ),
            )
        replace_file(folder / "study.toml", sealed.text, mode=0o644)
        return cls(lab, folder, sealed)

    @property
    def file(self) -> StudyFile:
        """Contents of the study file."""
        return self.sealed.study

    @property
    def text(self) -> bytes:
        """The study file's bytes."""
        return self.sealed.text

    @property
    def digest(self) -> str:
        """The study's identity, SHA-256 in hex."""
        return self.sealed.digest

    @property
    def name(self) -> str:
        """The study's id and the first twelve digits of its digest."""
        return self.folder.name

    def _shown(self) -> list[tuple[str, str]]:
        file = self.file
        return [
            ("name", self.name),
            ("title", file.study.title),
            ("hospitals", ", ".join(file.cohort)),
            ("rounds", f"{self.plan.last_round}"),
            ("epsilon", f"{worst_epsilon(file)}"),
        ]

    @property
    def parameters(self) -> int:
        """Number of the model's parameters."""
        return self.plan.parameters

    def request(self) -> dict[str, str]:
        """Send the request to every hospital that has not got it yet: to datasites through PySyft, to
        the others by the board.

        Invites the aggregator too. Returns site → job of those.

        Raises:
            NotApprovedError: a datasite has not published its keys yet, and nobody was asked; or
                one has not accepted this researcher as a peer, and nothing was sent to it. What was
                sent stays sent: asking again sends the rest.
            StudyError: its time is over.
            UsageError: it was cancelled.
        """
        check_not_cancelled(self.folder)
        check_not_over(self.file, datetime.now(UTC), self.text.decode())
        return send_request(self._lab.folder, self.plan, self.name)

    def status(self) -> dict[str, str]:
        """Site → ``waiting``, ``approved``, the code it ended with, or ``new-keys``.

        ``new-keys``: it can no longer approve this study, which names keys that the card trusted
        here has replaced. From signed words in the store and the researcher's own list only.
        """
        return states(self._lab.folder, self.plan)

    def causes(self) -> dict[str, tuple[str, str]]:
        """Site → the party that it followed when it ended its part, and that one's code.

        Of those that followed one.
        """
        return causes(self._lab.folder, self.plan)

    def run_status(self) -> str:
        """Say in a sentence how the study's run stands: running, completed, ended early.

        Empty where it was not run yet.
        """
        return run_words(self._lab.folder, self.folder, self.plan)

    def pysyft_status(self) -> dict[str, str]:
        """Site → what its datasite shows for the request, with the note beside it."""
        return shown_states(self._lab.folder, self.plan, self.name)

    def without_pysyft(self) -> tuple[str, ...]:
        """Names of the hospitals that take requests off the board, as each has signed.

        Raises:
            StoreError: the store cannot be reached.
        """
        return without_pysyft(self._lab.folder, self.plan)

    def wait(
        self, seconds: float = 7 * 86_400.0, watch: Callable[[dict[str, str]], None] | None = None
    ) -> None:
        """Wait until every hospital has approved.

        Raises:
            UsageError: the study was run here before.
            NotApprovedError: a hospital refused or left, or the time is over; the text names who.
        """
        last: dict[str, str] = {}

        def look() -> bool | None:
            nonlocal last
            now = self.status()
            if now != last and watch:
                watch(now)
            last = now
            refuse_if_over(self._lab.folder, self.folder, self.plan, now)
            return None if "waiting" in now.values() else True

        if poll(look, seconds=seconds, shortest=0.2, longest=1.0) is None:
            waiting = ", ".join(site for site, code in last.items() if code == "waiting")
            raise NotApprovedError(
                f"No approval of {waiting} yet.",
                whose=waiting,
                next_step="Ask their data owners; `securefl study status` shows who has approved.",
            )

    def run(
        self,
        watch: Callable[[RoundRecord], None] | None = None,
        model_folder: Path | None = None,
        warn: Callable[[str], None] = warnings.warn,
        waiting: Callable[[Waiting], None] | None = None,
    ) -> Result:
        """Run all rounds, save the model, collect the audits' extracts.

        Ctrl-C (a notebook's "interrupt"): the first says what stopping costs and the run goes on,
        the second within five seconds ends the study for all (:mod:`securefl.researcher.stopping`).
        What ``watch``, ``warn`` or ``waiting`` raise ends nothing; it is in the study's
        ``run.log``.

        Args:
            watch: called after each opened sum with its record; by default a line each, where
                somebody is there to read it; one line that moves in a notebook.
            model_folder: where the model goes; ``model`` in the researcher's folder by default.
            warn: told what went wrong and ends nothing; a Python warning by default.
            waiting: told about twice a second whom a round waits for, since when and how long at
                most.

        Raises:
            EndedError: a hospital ended its part.
            UsageError: it was run to its end before, or is running, or there is a model in that
                folder already; nothing was begun.
            NotApprovedError: not every hospital has approved.
            RoundError: a round failed, or the run was stopped by hand; the study is over, every
                budget stays charged.
            StoreError: the store was away for a whole round deadline, or for the study's longest
                wait; the next run goes on, while the hospitals wait for it.
        """
        from securefl.researcher.results import save_result
        from securefl.researcher.run_study import run_once

        lab = self._lab.folder
        target = self.place(model_folder)
        persist(
            lambda: self.wait(seconds=0),
            float(self.file.schedule.round_deadline),
            lambda error: warn(f"{error.what} It is tried again."),
        )
        return run_once(
            lab,
            self.folder,
            self.plan,
            watch or self._default_watch(),
            warn,
            waiting=waiting,
            finish=lambda outcome: save_result(
                lab, self.folder, self.plan, outcome, target, warn=warn
            ),
        )

    @property
    def interrupted(self) -> bool:
        """True if a run was begun and is not over: the next one goes on with it.

        Raises:
            StoreError: the store is away.
        """
        from securefl.researcher.run_study import goes_on

        return goes_on(self._lab.folder, self.folder, self.plan)

    def place(self, model_folder: Path | None = None) -> Path:
        """Return the folder where a run would put its model; the study's own where it makes none.

        To be asked before anybody waits or begins.

        Raises:
            UsageError: the study was run before, a folder is named and it makes no model, or the
                folder exists: a model is never overwritten.
        """
        from securefl.researcher.run_study import refuse_second

        refuse_second(self._lab.folder, self.folder, self.plan)
        if not makes_model(self.file):
            if model_folder is not None:
                raise UsageError(
                    f"{self.name} makes no model, so there is nothing to put into {model_folder}.",
                    whose="the researcher",
                    next_step="Run it without a model's folder.",
                )
            return self.folder
        target = model_folder or self._lab.folder.path / "model"
        if target.exists():
            raise UsageError(
                f"{target} exists already; a model is never overwritten. Nothing was begun.",
                whose="the researcher",
                next_step=(
                    f"Name another folder (--out models/{self.file.study.id}), or move that one"
                    " away."
                ),
            )
        return target

    def _default_watch(self) -> Callable[[RoundRecord], None] | None:
        from securefl.researcher.run_progress import progress_of
        from securefl.researcher.stopping import somebody_is_there

        if not somebody_is_there():
            return None
        return progress_of(self.plan, self.folder)

    # --- inside
    # ------------------------------------------------------------------------------------------------------

    @property
    def _home(self) -> PartyFolder:
        return self._lab.folder

    @property
    def plan(self) -> RoundPlan:
        """The study with what follows from it for its rounds."""
        return RoundPlan(self.sealed)
