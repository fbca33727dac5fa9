"""Operations that move numbers and change none."""

from __future__ import annotations

from securefl.learning.graphs.operation import (
    INTEGER,
    INTEGERS,
    NUMBER,
    GraphFault,
    Operation,
    Options,
    Shape,
    Shapes,
    broadcast,
    place,
    places,
    shown,
    size,
)


class View(Operation):
    """The same numbers in another shape."""

    options = {"shape": INTEGERS}  # noqa: RUF012 - read alone

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        wanted = tuple(options["shape"])
        if min(wanted, default=0) < 0 or size(wanted) != size(inputs[0]):
            raise GraphFault(f"puts {shown(inputs)} into {shown([wanted])}")
        return wanted


class Permute(Operation):
    """Dimensions in another order."""

    options = {"dims": INTEGERS}  # noqa: RUF012 - read alone

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        (x,) = inputs
        order = [place(one, len(x)) for one in options["dims"]]
        if sorted(order) != list(range(len(x))):
            raise GraphFault("does not name each dimension once")
        return tuple(x[one] for one in order)


class Unsqueeze(Operation):
    """A dimension of 1 more."""

    options = {"dim": INTEGER}  # noqa: RUF012 - read alone

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        (x,) = inputs
        at = place(options["dim"], len(x) + 1)
        return (*x[:at], 1, *x[at:])


class Squeeze(Operation):
    """Dimensions of 1 less."""

    options = {"dims": INTEGERS}  # noqa: RUF012 - read alone

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        (x,) = inputs
        gone = set()
        if options["dims"]:
            gone = {at for at in places(options["dims"], len(x)) if x[at] == 1}
        return tuple(side for at, side in enumerate(x) if at not in gone)


class Expand(Operation):
    """The same numbers again and again."""

    options = {"shape": INTEGERS}  # noqa: RUF012 - read alone

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        wanted = tuple(options["shape"])
        if min(wanted, default=0) < 0 or broadcast(inputs[0], wanted) != wanted:
            raise GraphFault(f"repeats {shown(inputs)} to {shown([wanted])}")
        return wanted


class Slice(Operation):
    """A stretch of a dimension."""

    options = {  # noqa: RUF012 - read alone
        "dim": INTEGER,
        "start": INTEGER,
        "end": INTEGER,
        "step": INTEGER,
    }

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        (x,) = inputs
        at = place(options["dim"], len(x))
        start, end, step = (options[name] for name in ("start", "end", "step"))
        if not 0 <= start < end <= x[at] or step < 1:
            raise GraphFault(f"takes {start} to {end} of {x[at]}")
        return (
            *x[:at],
            len(
                range(
                    start,
                    end,
                    step,
                )
            ),
            *x[at + 1 :],
        )


class Select(Operation):
    """One of a dimension."""

    options = {"dim": INTEGER, "index": INTEGER}  # noqa: RUF012 - read alone

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        (x,) = inputs
        at = place(options["dim"], len(x))
        place(options["index"], x[at])
        return (*x[:at], *x[at + 1 :])


class Cat(Operation):
    """One behind the other."""

    options = {"dim": INTEGER}  # noqa: RUF012 - read alone

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        first = inputs[0]
        at = place(options["dim"], len(first))
        for one in inputs:
            if len(one) != len(first) or (*one[:at], *one[at + 1 :]) != (
                *first[:at],
                *first[at + 1 :],
            ):
                raise GraphFault(f"cannot put together {shown(inputs)}")
        return (*first[:at], sum(one[at] for one in inputs), *first[at + 1 :])


class Pad(Operation):
    """A rim of one value."""

    options = {"pad": INTEGERS, "value": NUMBER}  # noqa: RUF012 - read alone

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        (x,) = inputs
        pads = options["pad"]
        if len(pads) % 2 or len(pads) > 2 * len(x) or not all(0 <= one <= 4096 for one in pads):
            raise GraphFault("has a rim that cannot be")
        found = list(x)
        for number in range(len(pads) // 2):
            found[len(x) - 1 - number] += pads[2 * number] + pads[2 * number + 1]
        return tuple(found)
