"""One notice: its kind, the study or the patients it is about, and nothing that was counted.

A notice leaves the hospital by ways that securefl does not protect (mail, a chat), so it holds the
names that stand in requests and settings, and no figure of a patient, a table or a budget.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

Kind: TypeAlias = Literal["request", "waiting", "budget", "failure", "finished", "recall", "test"]
#: Kinds that can be asked for; ``test`` is what `securefl site notices test` sends.
KINDS: Final = ("request", "waiting", "budget", "failure", "finished", "recall")
#: Each kind in words: a mail's subject, and a line of the settings.
SUBJECTS: Final = {
    "request": "a new request",
    "waiting": "a request waits for you",
    "budget": "80 % of a budget is used",
    "failure": "a study failed",
    "finished": "a study is finished",
    "recall": "a model was recalled",
    "test": "a test",
}
_SENTENCES: Final = {
    "request": "A request came in: {about}. `securefl site review {about}` shows it.",
    "waiting": "The request {about} still waits for your decision.",
    "budget": "At least 80 % of the budget of the patients of {about} is used.",
    "failure": "The study {about} failed here. `securefl site status` says why.",
    "finished": "The study {about} is finished. `securefl audit` shows what left.",
    "recall": "A hospital recalled the model of {about}. `securefl site models` says why.",
    "test": "This is a test. Notices of this hospital arrive here.",
}


@dataclass(frozen=True)
class Notice:
    """A notice to the owner.

    Args:
        kind: of what happened.
        site: the hospital's name.
        about: a study's name, or a population's.
        at: UTC, ISO 8601.
    """

    kind: Kind
    site: str
    about: str
    at: str

    @property
    def subject(self) -> str:
        """One line."""
        return f"securefl at {self.site}: {SUBJECTS[self.kind]}"

    @property
    def text(self) -> str:
        """Text for a person."""
        return _SENTENCES[self.kind].format(about=self.about)

    def to_json(self) -> dict[str, Any]:
        """Fields for a program."""
        return {"type": "securefl-notice/1", **asdict(self), "text": self.text}
