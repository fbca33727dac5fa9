"""What ends a running study at a hospital: its own end, another party's, its dates, or a coordinator
that is silent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.errors import RoundError, StudyError
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.status_board import end_of, ended, ending_departure, over
from securefl.learning.tasks import task_of
from securefl.node.instances import check_alone
from securefl.node.quality import keep_verdict
from securefl.node.silence import Silence
from securefl.report.quality import quality_words
from securefl.study.dates import time_here
from securefl.study.longest_wait import wait_words

if TYPE_CHECKING:
    from securefl.federation.messages import End
    from securefl.federation.participant import Participant
    from securefl.node.instances import Instances
    from securefl.node.own_study import OwnStudy
    from securefl.node.round_windows import RoundWindows
    from securefl.node.unmasking_sender import UnmaskingSender

#: Seconds between looks whether another party has left a running study.
_LOOK_SECONDS: Final = 1.0
_CHARGED: Final = "its budget stays charged."


class StudyWatch:
    """Looks whether one started study goes on.

    Args:
        own: the study.
        unmasking: what this hospital says after its contributions.
        instances: the runs of this hospital's agent.
        windows: of the study's rounds; between them silence is no sign.
        heard: when the coordinator was heard last, by the monotonic clock.

    Attributes:
        silence: of the coordinator, since it was heard or a reply left.
    """

    def __init__(
        self,
        own: OwnStudy,
        unmasking: UnmaskingSender,
        instances: Instances,
        windows: RoundWindows,
        heard: float,
    ) -> None:
        self._own = own
        self._unmasking = unmasking
        self._instances = instances
        self.silence = Silence(own, windows, heard)
        self._looked = 0.0

    def is_completed(self, participant: Participant, *, answering: bool) -> bool | None:
        """True if the coordinator ended the study with all that this hospital gave; None while it
        has not ended it, False while that cannot be seen. After the end nothing more is said.

        Raises:
            RoundError: it ended otherwise.
        """
        own = self._own
        end = end_of(own.site.board, own.plan)
        if end is None:
            return None
        gave_all = participant.done == own.plan.last_round and not answering
        if end.outcome == "completed" and gave_all:
            return self._is_counted(participant, end)
        left_behind = round_strategy_of(own.plan).left_behind()
        if end.outcome == "completed" and left_behind is not None:
            raise left_behind
        raise over(
            own.site.board,
            own.plan,
            end,
            "The coordinator ended the study",
            _CHARGED,
        )

    def _is_counted(self, participant: Participant, end: End) -> bool:
        """True if the store shows that the last contribution is in the study."""
        if participant.later is None or self._unmasking.was_counted(participant.later):
            self._tell_verdict(end)
            return True
        if self.silence.is_over:
            raise RoundError(
                "The study was completed, and the store does not show whether this hospital's"
                " last contribution is in it: the list of who was left is gone.",
                whose="the coordinator or the store's operator",
                next_step=(
                    "Ask the researcher who was in the last round; the study has ended here,"
                    " its budget stays charged."
                ),
            )
        return False

    def _tell_verdict(self, end: End) -> None:
        """Tell the owner how the coordinator judged the quality rule; it is kept for `site status`."""
        own = self._own
        rule = self._own.plan.study.quality
        if not end.quality or rule is None:
            return
        keep_verdict(own.folder, end.quality)
        task = task_of(own.plan.study.data)
        if task.asks(rule):
            own.say(
                f"the {task.metric} that the study asks for:"
                f" {quality_words(end.quality, rule.minimum, rule.minimum_each)}"
                " (signed by the coordinator)"
            )
        if rule.withholds(end.quality):
            own.say("the model is withheld, as the study's quality rule says: none will come")

    def check_open(self) -> None:
        """Refuse to go on after the study's dates.

        Raises:
            StudyError: they are over.
        """
        closes = self._own.plan.study.schedule.closes
        now = self._own.now()
        if now > closes:
            raise StudyError(
                f"The study was to run until {closes:%Y-%m-%d %H:%M} UTC; it is over:"
                f" {time_here(now)}.",
                next_step=(
                    "If this machine's clock is wrong, set it; if not, ask for a study with other"
                    " dates."
                ),
            )

    def check_others(self, cohort: tuple[str, ...]) -> None:
        """Refuse to wait for what another party left, even when the coordinator is silent.

        Raises:
            TwoCopiesError: this hospital's own places hold words that this folder did not say.
            EndedError: another party ended its part.
        """
        own = self._own
        if own.clock() - self._looked < _LOOK_SECONDS:
            return
        self._looked = own.clock()
        check_alone(own.site, own.plan, self._instances)
        said = ending_departure(own.site.board, own.plan, cohort)
        if said is not None and said.site != own.site.name:
            raise ended(said, _CHARGED)

    def check_heard(self, missing: str = "") -> None:
        """Refuse to wait longer for a coordinator that is silent.

        Args:
            missing: why the last total cannot be verified, where that is what is waited for.

        Raises:
            RoundError: it has been for as long as the study says.
        """
        if not self.silence.is_over:
            return
        waited = wait_words(self._own.plan.study.schedule)
        if missing:
            raise RoundError(
                f"The total of the last round could not be verified for {waited}:"
                f" {missing.rstrip('.')}.",
                whose="the coordinator, or whoever can write into the store",
                next_step="The study ends here; ask the researcher.",
            )
        raise RoundError(
            f"Nothing came from the coordinator for {waited}.",
            whose="the coordinator",
            next_step="Ask the researcher; the study ends here.",
        )
