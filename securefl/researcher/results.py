"""Results of a completed run: the model with its card, released figures, audits' extracts."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from securefl.backoff import poll
from securefl.errors import MessageError, StoreError, UsageError
from securefl.files import read_file, replace_file
from securefl.learning.artefact import save_model
from securefl.learning.stages.roles import judged_result
from securefl.party.audit_extract import read_extract
from securefl.report.explain_study import units
from securefl.report.outcome import model_facts
from securefl.report.run import lost_hospitals
from securefl.researcher.delivery import deliver, send
from securefl.researcher.durable_run import DurableRun
from securefl.researcher.model_recalls import standing_now
from securefl.researcher.run_study import RESULT, is_running, was_run
from securefl.shown import Shown
from securefl.study.schema import quality_of
from securefl.study.stages import makes_model
from securefl.study.training import training_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from securefl.federation.coordinator import Outcome
    from securefl.federation.round_plan import RoundPlan
    from securefl.learning.artefact import Model
    from securefl.learning.stages.evaluate import EvaluateResult
    from securefl.learning.tasks.told import Told
    from securefl.party.folder import PartyFolder
    from securefl.report.page import Page
    from securefl.study.schema import Study, Verdict

Extracts = dict[str, dict[str, Any]]
#: The model does not wait longer than this for extracts.
_EXTRACT_SECONDS = 20.0


def _nothing(_text: str) -> None:
    pass


@dataclass(frozen=True)
class MadeModel:
    """The model of a completed study.

    Attributes:
        model: as saved; None where the study's quality rule withholds it.
        figures: its released figures.
        quality: how the study's quality rule was judged.
        folder: where it was saved, or would have been.
        sent_to: who is sent it.
    """

    model: Model | None
    figures: EvaluateResult
    quality: Verdict
    folder: Path
    sent_to: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Result(Shown):
    """A completed study: what its stages found, and the extract of each hospital's audit.

    ``lost``: hospital → first round without it, for those lost. ``made``: the model with its
    figures; None where the study makes none.
    """

    study: Study
    outcome: Outcome
    extracts: Extracts
    lost: dict[str, str]
    made: MadeModel | None = None

    @property
    def title(self) -> str:
        """The study's title."""
        return self.study.study.title

    def page(self) -> Page:
        """What it found, and a line for each hospital's own ledger."""
        from securefl.report.page import joined
        from securefl.report.wording import in_words
        from securefl.researcher.result_pages import found_page, ledgers_page

        whole = joined(found_page(self), ledgers_page(self))
        return in_words(whole, self.study.words)

    @property
    def model(self) -> Model:
        """The model.

        Raises:
            UsageError: the study makes none.
        """
        return self._released[0]

    @property
    def evaluation(self) -> Any:  # noqa: ANN401 - each task has figures of its own
        """Figures that were read off the released histogram. Raises as :attr:`model`."""
        return self._made.figures.evaluation

    @property
    def told(self) -> Told:
        """The same in words. Raises as :attr:`model`."""
        return self._made.figures.told

    @property
    def quality(self) -> Verdict:
        """How the study's quality rule was judged. Raises as :attr:`model`."""
        return self._made.quality

    @property
    def folder(self) -> Path:
        """The model's folder. Raises as :attr:`model`."""
        return self._released[1]

    @property
    def sent_to(self) -> tuple[str, ...]:
        """Who is sent the model."""
        if self.made is None:
            return ()
        return self.made.sent_to

    @property
    def withheld(self) -> bool:
        """True where the study's quality rule withholds the model."""
        return self.made is not None and self.made.model is None

    @property
    def _released(self) -> tuple[Model, Path]:
        made = self._made
        if made.model is None:
            raise UsageError(
                "The study's quality rule withholds this model.",
                next_step="`outcome.results` has its figures.",
            )
        return made.model, made.folder

    @property
    def _made(self) -> MadeModel:
        if self.made is None:
            raise UsageError(
                "This study makes no model.", next_step="`outcome.results` has what it found."
            )
        return self.made

    def _shown(self) -> list[tuple[str, str]]:
        rows = [("title", self.title), ("rounds", f"{len(self.outcome.records)}")]
        if self.made is None:
            return rows
        model = [(self.told.metric, self.told.short), ("quality", self.quality)]
        folder = "withheld" if self.withheld else str(self.folder)
        return [rows[0], *model, rows[1], ("folder", folder)]


def save_result(
    lab: PartyFolder,
    folder: Path,
    plan: RoundPlan,
    outcome: Outcome,
    target: Path,
    *,
    warn: Callable[[str], None] = _nothing,
) -> Result:
    """Save the model, where one is made, into ``target``, and the figures into the study's folder.

    Sends the model to its recipients, and collects the extracts that come in time.
    """
    lost = lost_hospitals(plan.study, outcome.records)
    made = None
    if makes_model(plan.study):
        made = _saved_model(plan, outcome, target)
    result: dict[str, Any] = {
        "study": folder.name,
        "digest": plan.digest,
        "continues": plan.study.continues,
        **_model_figures(plan, made),
        "rounds": len(outcome.records),
        "parameters": plan.parameters,
        "upload_bytes": max(r.upload_bytes for r in outcome.records),
        "stages": [
            {"kind": stage.section.kind, **found.record()}
            for stage, found in zip(plan.programme.stages, outcome.results, strict=True)
        ],
        "found": [row for found in outcome.results for row in found.rows(units(plan.study))],
        "lost": lost,
        "extracts": {},
    }
    # before the extracts are waited for: whatever happens meanwhile, the study has its result
    _write(folder, result)
    if made is not None and made.model is not None:
        sent_to = deliver(lab, folder, plan, outcome, made.figures, model=target, warn=warn)
        made = replace(made, sent_to=sent_to)
    extracts = _extracts(lab, plan, _EXTRACT_SECONDS, tuple(outcome.records[-1].contributions))
    _write(folder, {**result, "extracts": extracts})
    DurableRun(folder).erase()
    return Result(plan.study, outcome, extracts, lost, made)


def _saved_model(plan: RoundPlan, outcome: Outcome, target: Path) -> MadeModel:
    """Save the model of a completed run with its card."""
    study = plan.study
    figures = judged_result(outcome.results)
    verdict = figures.verdict(quality_of(study))
    if quality_of(study).withholds(verdict):
        return MadeModel(None, figures, verdict, target)
    facts = model_facts(
        study,
        plan.digest,
        figures.evaluation,
        outcome.records,
        split=figures.card_rows(),
        verdict=verdict,
    )
    model = save_model(target, outcome.theta, training_of(study).model, study.data, facts)
    return MadeModel(model, figures, verdict, target)


def _model_figures(plan: RoundPlan, made: MadeModel | None) -> dict[str, Any]:
    """The model's part of the result; nothing where there is none."""
    if made is None:
        return {}
    told = made.figures.told
    rule = quality_of(plan.study)
    quality: dict[str, Any] = {"verdict": made.quality, "minimum": format(rule.minimum, "f")}
    if rule.minimum_each is not None:
        quality["minimum_each"] = format(rule.minimum_each, "f")
    place = {"model": str(made.folder)}
    if made.model is None:
        place = {}
        quality["withheld"] = True
    return {
        **place,
        **made.figures.record(),
        "figure": {"name": told.metric, "words": told.headline},
        "quality": quality,
    }


def read_result(lab: PartyFolder, folder: Path, plan: RoundPlan) -> dict[str, Any]:
    """Read what :func:`save_result` wrote, with extracts and recalls that came since.

    Raises:
        UsageError: the study has not run to its end.
    """
    try:
        found: dict[str, Any] = json.loads(read_file(folder / RESULT))
    except FileNotFoundError:
        raise _none_yet(folder) from None
    with suppress(StoreError):
        send(lab, folder, plan)  # a model that the store did not take before
    if len(found["extracts"]) < len(plan.study.cohort):
        found["extracts"] = dict(
            sorted({**_extracts(lab, plan, 0, plan.study.cohort), **found["extracts"]}.items())
        )
        _write(folder, found)
    standing = standing_now(lab, found)
    if standing is not None:
        # as it is now, and not as the file says for good
        found["notices"] = list(standing.sentences)
        found["usable"] = not standing.refused
    return found


def has_result(folder: Path) -> bool:
    """True if the study in that folder was completed."""
    return (folder / RESULT).exists()


def _none_yet(folder: Path) -> UsageError:
    if is_running(folder):
        return UsageError(
            f"{folder.name} has no result yet: it is running.", next_step="Wait for its end."
        )
    if was_run(folder):
        return UsageError(
            f"{folder.name} was run and did not come to its end: it has no result.",
            whose="the researcher",
            next_step=(
                f"`securefl study run {folder.name}` goes on with a run that was interrupted. If the"
                " study is over, `securefl study new ... --id NAME` makes another."
            ),
        )
    return UsageError(
        f"{folder.name} has no result yet.", next_step=f"`securefl study run {folder.name}`"
    )


def _write(folder: Path, result: dict[str, Any]) -> None:
    replace_file(folder / RESULT, json.dumps(result, indent=1).encode(), mode=0o644)


def _extracts(
    lab: PartyFolder,
    plan: RoundPlan,
    seconds: float,
    wanted: tuple[str, ...],
) -> Extracts:
    """The hospitals' extracts, as far as they come in time; those ``wanted`` are waited for."""
    found: Extracts = {}

    def look() -> bool | None:
        for site in plan.study.cohort:
            if site not in found and (extract := _extract(lab, plan, site)):
                found[site] = extract
        if found.keys() >= set(wanted):
            return True
        return None

    # Nothing is lost by not waiting: the study is over, and extracts that come later are found.
    with suppress(KeyboardInterrupt):
        poll(look, seconds=seconds, shortest=0.05)
    return dict(sorted(found.items()))


def _extract(lab: PartyFolder, plan: RoundPlan, site: str) -> dict[str, Any] | None:
    try:
        return read_extract(lab.board, lab.identity, plan.digest, site, plan.study)
    except (MessageError, StoreError):
        return None  # not by that hospital, or the store is away: as if nothing had come yet
