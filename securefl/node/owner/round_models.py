"""Global models of a study's rounds, with their exact figures on this hospital's own patients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.errors import UnreadableError, UsageError
from securefl.learning.looks import read_looks
from securefl.learning.stages.roles import look_rounds, opened_looks
from securefl.learning.tasks import task_of
from securefl.node.kept_rounds import KeptRounds
from securefl.node.owner.rounds import hospital_rounds
from securefl.node.round_figures import round_figures
from securefl.report.own_rounds import OwnRound
from securefl.study.stages import makes_model

if TYPE_CHECKING:
    from securefl.federation.round_plan import RoundPlan
    from securefl.learning.looks import Looks
    from securefl.learning.tasks.task import Task
    from securefl.node.round_figures import RoundFigures
    from securefl.node.site import Site


@dataclass(frozen=True)
class OwnRounds:
    """Models of a study, round by round, for this screen alone.

    Attributes:
        name: of the study.
        metric: name of the figure.
        least: lowest value of the figure.
        rounds: of each model that is kept here, in order.
        looks: charged figures of all hospitals on the way; None where the study asks for none, or is
            over: its researcher's report has them then.
    """

    name: str
    metric: str
    least: float
    rounds: tuple[OwnRound, ...]
    looks: Looks | None = None


def own_rounds(site: Site, name: str = "") -> OwnRounds:
    """Exact figures of every round's model that is kept here.

    Args:
        site: the hospital.
        name: of a study that was approved here, or its beginning; may be left out where there is
            one.

    Raises:
        UsageError: no study or several fit, or it makes no model.
        DataError: the table cannot be read, or has no held-out patient.
    """
    view = hospital_rounds(site, name)
    study = view.plan.study
    if not makes_model(study):
        raise UsageError(
            "This study makes no model.",
            next_step="`securefl site status` lists the studies of this hospital.",
        )
    task = task_of(study.data)
    rounds = tuple(_figure(task, one) for one in round_figures(site, view.plan))
    looks = charged_looks(site, view.plan)
    return OwnRounds(view.name, task.metric, task.least, rounds, looks)


def charged_looks(site: Site, plan: RoundPlan) -> Looks | None:
    """Looks of a study that runs here, from the totals that this hospital verified."""
    kept = KeptRounds(site.study_folder(plan.digest), plan)
    try:
        opened = opened_looks(plan.programme, kept.totals.of(look_rounds(plan.programme)))
    except (FileNotFoundError, UnreadableError):  # none yet, or damaged: the run says that itself
        return None
    if not opened:
        return None
    return read_looks(plan.study, [sums for _, sums in opened])


def _figure(task: Task, one: RoundFigures) -> OwnRound:
    value = task.exact_figure(one.figures)
    low, high = task.exact_interval(one.figures) or (None, None)
    return OwnRound(one.after, value, low, high)
