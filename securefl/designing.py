"""The researcher's door to designed studies: ``sf.design(...)`` and ``securefl study design``.

>>> import securefl as sf                                                    # doctest: +SKIP
>>> made = sf.design("cohort.csv", "died = yes", patients=4200, share=0.08,  # doctest: +SKIP
...                  source="Registry, 2024")
>>> made.save("protocol.toml")                                               # doctest: +SKIP
>>> sf.design(made, epsilon=2).what_if()                                     # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from securefl.designer.asked_label import label_of
from securefl.designer.draft import Draft, draft
from securefl.designer.given import described
from securefl.designer.published_sizes import with_sizes
from securefl.designer.question import CURVE, KINDS, LINEAR, Question
from securefl.designer.what_if import WhatIf, what_if
from securefl.errors import UsageError
from securefl.files import replace_file
from securefl.report.design import design_page
from securefl.report.design_what_if import what_if_page, what_if_svg
from securefl.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from securefl.report.page import Page

#: Hospitals where nobody says how many.
_USUAL_HOSPITALS: Final = 5
_MOST_HOSPITALS: Final = 1000
_USUAL_EPSILON: Final = Decimal(1)


class Design(Shown):
    """A designed study in a Python session.

    Attributes:
        draft: the file with its reasons.
    """

    def __init__(self, made: Draft) -> None:
        self.draft = made

    @property
    def text(self) -> str:
        """The study file."""
        return self.draft.text

    def save(self, path: str | Path) -> Path:
        """Write the file; an existing one is never overwritten.

        Raises:
            UsageError: there is a file.
        """
        target = Path(path)
        if target.exists():
            raise UsageError(
                f"{target} exists already, and may have been changed by hand.",
                next_step="Name another file.",
            )
        replace_file(
            target,
            self.text.encode(),
            mode=0o644,
        )
        return target

    def page(self) -> Page:
        """The page that the command shows."""
        return design_page(self.draft)

    def write(
        self,
        *,
        lead: str | None = None,
        ethics_ref: str | None = None,
        legal_basis: str | None = None,
        intended_use: str | None = None,
    ) -> Design:
        """The design with texts that only people can give; every owner reads them.

        Args:
            lead: who leads the study.
            ethics_ref: the ethics approval's reference.
            legal_basis: the legal basis.
            intended_use: of the model, or of what is counted.

        Raises:
            StudyError: a text that no study file can hold.
        """
        given = {
            "lead": lead,
            "ethics_ref": ethics_ref,
            "legal_basis": legal_basis,
            "intended_use": intended_use,
        }
        words = {key: text for key, text in given.items() if text is not None}
        first = self.draft.question
        question = replace(first, words={**first.words, **words})
        return Design(draft(question, datetime.now(UTC)))

    def what_if(
        self,
        epsilons: Sequence[float | str | Decimal] = (),
        *,
        repeat: int = 3,
        seed: int = 0,
        watch: Callable[[int, int], None] | None = None,
    ) -> ComparedDesigns:
        """Design and simulate the question at other epsilons. It protects nothing.

        Args:
            epsilons: to compare; from a quarter of the design's own to four times by default.
            repeat: simulations of each.
            seed: from which noise and invented rows follow.
            watch: told how many epsilons are done, and how many there are.

        Raises:
            UsageError: the design is a count.
        """
        found = what_if(
            self.draft,
            datetime.now(UTC),
            epsilons=[_epsilon(one) for one in epsilons],
            repeat=repeat,
            seed=seed,
            watch=watch,
        )
        return ComparedDesigns(found)

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``--json``."""
        return {
            "study": self.draft.study.study.study.id,
            "counts_only": self.draft.counts_only,
            "figures": [
                {"table": table, "figure": figure, "why": why}
                for table, figure, why in self.draft.reasons()
            ],
            "to_write": self.draft.open_points(),
            "text": self.text,
        }

    def _shown(self) -> list[tuple[str, str]]:
        study = self.draft.study.study
        question = self.draft.question
        return [
            ("study", study.study.id),
            ("title", study.study.title),
            ("columns", f"{len(study.data.columns)}"),
            ("epsilon", f"{question.epsilon}"),
            ("to write", ", ".join(self.draft.open_points()) or "nothing"),
        ]


class ComparedDesigns(Shown):
    """One question at several epsilons, in a Python session.

    Attributes:
        facts: all figures.
    """

    def __init__(self, facts: WhatIf) -> None:
        self.facts = facts

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return self.facts.to_dict()

    def page(self) -> Page:
        """The page that the command shows."""
        return what_if_page(self.facts)

    def picture(self) -> str:
        """The figure by epsilon as SVG; empty where none is known."""
        return what_if_svg(self.facts)

    def _shown(self) -> list[tuple[str, str]]:
        rows = [("study", self.facts.study)]
        for choice in self.facts.choices:
            told = choice.refused
            if choice.figure is not None and choice.figure.known:
                told = f"{self.facts.metric} {choice.figure.mean:.3f}"
            rows.append((f"epsilon {choice.epsilon}", told))
        return rows


def design(
    data: Any,  # noqa: ANN401 - a file, a data frame, a description, several of them, a design
    label: str | Mapping[str, Any] | None = None,
    *,
    epsilon: float | str | Decimal | None = None,
    patients: int | Mapping[str, Any] | None = None,
    share: float | str | Sequence[float | str] | None = None,
    source: str | None = None,
    hospitals: int | None = None,
    title: str | None = None,
    kind: str | None = None,
    by: str | None = None,
) -> Design:
    """Design a study from public facts.

    Args:
        data: columns, ranges and levels: ``lab.datasets()`` or one of them, the file that ``study
            datasets --json`` wrote, a study file, or a table that you may see (a CSV file, a data
            frame). An earlier design keeps all that is not named again.
        label: what is predicted, as :mod:`securefl.designer.asked_label` reads it; the data set's own
            where it declares one.
        epsilon: of the whole study, for one patient; 1 if left out.
        patients: published number in all hospitals; or the report of a count that was run. Left
            out, the design is that count.
        share: published share of positives; of several classes one each, in their order; of a time
            to an event the share without it at each of the label's times.
        source: where these sizes were published.
        hospitals: how many take part; as many as describe their table, or 5.
        title: of the study.
        kind: "linear", a model of few weights (if left out); "boosted-trees", for a yes or no;
            "survival-curve", curves of a time to an event and no model.
        by: column by whose levels survival curves are split.

    Raises:
        UsageError: answers that do not fit together, with the mend.
        DataError: a table that cannot be described.
        StudyError: a name that no study file can hold.
    """
    if isinstance(data, Design):
        first = data.draft.question
        question = replace(
            first,
            label=dict(first.label) if label is None else label_of(label, first.table),
            epsilon=first.epsilon if epsilon is None else _epsilon(epsilon),
            hospitals=_hospitals(hospitals or first.hospitals),
            title=title or first.title,
            kind=_kind(kind or first.kind),
            by=first.by if by is None else by,
        )
    else:
        given = described(data)
        question = Question(
            table=given.table,
            label=label_of(label, given.table),
            epsilon=_USUAL_EPSILON if epsilon is None else _epsilon(epsilon),
            hospitals=_hospitals(hospitals or given.hospitals or _USUAL_HOSPITALS),
            title=title or "",
            sizes=None,
            kind=_kind(kind or LINEAR),
            by=by or "",
        )
    if question.by and question.kind != CURVE:
        raise UsageError(
            "Only survival curves are split by a column.",
            next_step=f"Ask for --kind {CURVE}, or leave --by out.",
        )
    sized = with_sizes(
        question,
        patients,
        share,
        source,
    )
    return Design(draft(sized, datetime.now(UTC)))


def _epsilon(given: float | str | Decimal) -> Decimal:
    try:
        return Decimal(str(given))
    except InvalidOperation:
        raise UsageError(
            f"{str(given)[:40]!r} is no epsilon.", next_step="Write a number, like 1."
        ) from None


def _kind(given: str) -> str:
    if given in KINDS:
        return given
    raise UsageError(
        f"{given[:40]!r} is nothing that can be designed.",
        next_step=f"Give one of: {', '.join(KINDS)}.",
    )


def _hospitals(given: int) -> int:
    if 2 <= given <= _MOST_HOSPITALS:
        return given
    raise UsageError(
        f"{given} hospitals make no study together.",
        next_step=f"Give 2 to {_MOST_HOSPITALS:,}.",
    )
