"""Following a study at a hospital: each round starts from what the totals before it make (rule 11).

Pure: it takes totals that were verified (:mod:`securefl.federation.verified_totals`), and works out
the hash of what the coordinator must broadcast next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import BrokenRuleError, RoundError
from securefl.federation.study_progress import StudyProgress
from securefl.learning.models import weights_sha256
from securefl.secagg.total_check import total_sha256

if TYPE_CHECKING:
    from securefl.federation.round_plan import RoundPlan
    from securefl.types import IntArray

_ASK = "The study ends here. Tell the other hospitals, and ask the researcher."


class Following:
    """What must follow from the totals that this hospital has verified.

    Args:
        plan: the study.

    Attributes:
        verified: the last round whose total was taken, 0 before.
        last_total: SHA-256 (hex) of that total.
    """

    def __init__(self, plan: RoundPlan) -> None:
        self._plan = plan
        self._progress: StudyProgress | None = None
        self._expected: tuple[int, str] = (0, "")
        self._over: RoundError | None = None
        self.verified = 0
        self.last_total = ""

    def take(
        self,
        number: int,
        total: IntArray,
        contributors: int,
    ) -> None:
        """Take the verified total int64[length] of round ``number``, of so many hospitals.

        Raises:
            BrokenRuleError: it is not the round after the last one.
        """
        if number != self.verified + 1:
            raise broken_rule(f"a total of round {number} came after round {self.verified}")
        try:
            self._states.absorb(total, contributors)
        except RoundError as error:
            # The study ends by its own rule: the coordinator says so, and announces nothing more.
            self._over = error
        self.verified = number
        self.last_total = total_sha256(total)

    def check_start(
        self,
        number: int,
        model_sha256: str,
    ) -> None:
        """Check that round ``number`` starts from what follows.

        Args:
            number: of the announced round.
            model_sha256: of what it broadcasts.

        Raises:
            BrokenRuleError: it starts from something else, or should not start.
        """
        if self._over is not None:
            raise broken_rule(
                f"round {number} was announced, and the study was over by its own rule:"
                f" {self._over.what}"
            )
        if number != self.verified + 1:
            raise broken_rule(f"round {number} was announced before the total of the last round")
        if self._expected[0] != number:
            self._expected = (number, weights_sha256(self._states.broadcast()))
        if model_sha256 != self._expected[1]:
            raise broken_rule(
                f"round {number} does not start from what the study's rule makes of the totals of"
                " the rounds before"
            )

    @property
    def _states(self) -> StudyProgress:
        """Made with the first use: initial weights may be large."""
        if self._progress is None:
            self._progress = StudyProgress(self._plan)
        return self._progress


def broken_rule(how: str) -> BrokenRuleError:
    """Make the error of a coordinator that goes another way than the study."""
    return BrokenRuleError(f"The coordinator broke the study's rule: {how}.", next_step=_ASK)
