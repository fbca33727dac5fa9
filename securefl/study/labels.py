"""Label of a study: the rule from which a row's target is read. Each task has labels of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from securefl.study.fields import Fault, Section

if TYPE_CHECKING:
    from collections.abc import Iterable

    from securefl.study.columns import NumericColumn


class LabelSection(Section, ABC):
    """A rule from which a row's target is read.

    Attributes:
        task: name of the task that such a label asks for.
    """

    task: ClassVar[str]

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns that the label is read from."""

    def model_faults(self) -> Iterable[Fault]:
        """Keys that a model of it needs and a study without one may leave out."""
        return ()

    @property
    def ranges(self) -> tuple[NumericColumn, ...]:
        """Columns of these whose numbers may be cut to a range, as features would be declared."""
        return ()
