"""Results of a completed run: the model with its card, released figures, audits' extracts."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from securefl.backoff import poll
from securefl.errors import MessageError, StoreError, UsageError
from securefl.files import read_file, replace_file
from securefl.learning.artefact import save_model
from securefl.learning.stages.roles import judged_result
from securefl.learning.tasks import task_of
from securefl.party.audit_extract import read_extract
from securefl.report.outcome import model_facts
from securefl.researcher.delivery import deliver, send
from securefl.researcher.run_study import RESULT, is_running, was_run
from securefl.shown import Shown
from securefl.study.training import training_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from securefl.federation.coordinator import Outcome
    from securefl.federation.round_plan import RoundPlan
    from securefl.learning.artefact import Model
    from securefl.learning.tasks.told import Told
    from securefl.party.folder import PartyFolder
    from securefl.study.schema import Verdict

Extracts = dict[str, dict[str, Any]]
#: The model does not wait longer than this for extracts.
_EXTRACT_SECONDS = 20.0


def _nothing(_text: str) -> None:
    pass


@dataclass(frozen=True, repr=False)
class Result(Shown):
    """A completed study: model, released figures, the extract of each hospital's audit.

    ``lost``: hospital → first round without it, for those lost. ``quality``: how the study's
    quality rule was judged. ``sent_to``: who is sent the model.
    """

    model: Model
    evaluation: Any
    told: Told
    outcome: Outcome
    extracts: Extracts
    folder: Path
    lost: dict[str, str]
    quality: Verdict
    sent_to: tuple[str, ...] = ()

    def _shown(self) -> list[tuple[str, str]]:
        return [
            ("title", self.model.facts.title),
            (self.told.metric, self.told.short),
            ("quality", self.quality),
            ("rounds", f"{len(self.outcome.records)}"),
            ("folder", str(self.folder)),
        ]


def save_result(
    lab: PartyFolder,
    folder: Path,
    plan: RoundPlan,
    outcome: Outcome,
    target: Path,
    *,
    warn: Callable[[str], None] = _nothing,
) -> Result:
    """Save the model into ``target`` and the figures into the study's folder.

    Sends the model to its recipients, and collects the extracts that come in time.
    """
    study = plan.study
    figures = judged_result(outcome.results)
    evaluation, told = figures.evaluation, figures.told
    verdict = task_of(study.data).judge(evaluation, study.quality)
    facts = model_facts(study, plan.digest, evaluation, outcome.records)
    lost = facts.lost
    model = save_model(target, outcome.theta, training_of(study).model, study.data, facts)
    result: dict[str, Any] = {
        "study": folder.name,
        "digest": plan.digest,
        "model": str(target),
        **figures.record(),
        "figure": {"name": told.metric, "words": told.headline},
        "quality": {"verdict": verdict, "minimum": format(study.quality.minimum, "f")},
        "rounds": len(outcome.records),
        "parameters": plan.parameters,
        "upload_bytes": max(r.upload_bytes for r in outcome.records),
        "stages": [
            {"kind": stage.section.kind, **found.record()}
            for stage, found in zip(plan.programme.stages, outcome.results, strict=True)
        ],
        "lost": lost,
        "extracts": {},
    }
    _write(
        folder, result
    )  # before the extracts are waited for: whatever happens meanwhile, the study has its result
    sent_to = deliver(lab, folder, plan, outcome, figures, model=target, warn=warn)
    extracts = _extracts(lab, plan, _EXTRACT_SECONDS, tuple(outcome.records[-1].contributions))
    _write(folder, {**result, "extracts": extracts})
    return Result(model, evaluation, told, outcome, extracts, target, lost, verdict, sent_to)


def read_result(lab: PartyFolder, folder: Path, plan: RoundPlan) -> dict[str, Any]:
    """Read what :func:`save_result` wrote, with extracts that came since.

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
            next_step="`securefl study new ... --id NAME` makes another.",
        )
    return UsageError(
        f"{folder.name} has no result yet.", next_step=f"`securefl study run {folder.name}`"
    )


def _write(folder: Path, result: dict[str, Any]) -> None:
    replace_file(folder / RESULT, json.dumps(result, indent=1).encode(), mode=0o644)


def _extracts(
    lab: PartyFolder, plan: RoundPlan, seconds: float, wanted: tuple[str, ...]
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
