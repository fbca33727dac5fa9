"""Sums and products of one record that do not depend on an order: torch's part of a graph.

A batch is computed in one go, and torch may add the terms of a sum in another order for a record
that stands elsewhere in it. So a record's factors are put on a grid first, coarse enough that all
products and all their partial sums are exact in float64; an exact sum has no order (the slices of
Ozaki et al. 2012, doi:10.1007/s11075-011-9478-1; :mod:`securefl.learning.exact` for linear layers).
The grid follows from the largest number of *that record's own* tensor, so no other record moves it.

One slice keeps 22 bits or so of each factor, relative to the largest: for gradients, which are
noised. Two slices keep 44: for scores, which people read.

Functions here are of one record. :func:`torch.func.vmap` lifts them, so what a record's result is
made of is that record, by construction; the grids make its last bit the same in every batch.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from scipy.special import erf as scipy_erf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from securefl.types import FloatArray

#: Context, inputs and level of torch's own functions, which it gives no types.
TorchOwn: TypeAlias = Any
#: Bits of a float64's significand, less one for the sum's own carry.
_BITS = 52
#: Numbers beyond it make a record count as not finite: their products could overflow in some order.
_MOST = 2.0**400
_LEAST = 2.0**-400


def on_grid(values: torch.Tensor, bits: int) -> torch.Tensor:
    """Rounded to multiples of 2^-bits of the largest magnitude's power of two.

    Not a number throughout, where one of them is not finite or beyond 2^400.
    """
    most = values.abs().amax().clamp(min=_LEAST)
    most = torch.where(
        most <= _MOST,
        most,
        math.nan,
    )
    mantissa, _ = torch.frexp(most)
    # A power of two, exactly; what is added to it is cut at its last bit.
    push = most / mantissa * (1.5 * 2.0 ** (_BITS - bits))
    return (values + push) - push


class Exact:
    """Products and sums with so many slices of each factor."""

    def __init__(self, slices: int) -> None:
        self._slices = slices

    def matmul(
        self,
        one: torch.Tensor,
        other: torch.Tensor,
    ) -> torch.Tensor:
        """Product of matrices; differentiable."""
        found: torch.Tensor = _Matmul.apply(
            one,
            other,
            self._slices,
        )  # type: ignore[no-untyped-call]
        return found


def exact_sum(
    values: torch.Tensor,
    dims: Sequence[int],
    *,
    keepdim: bool = False,
) -> torch.Tensor:
    """Sum along dimensions; differentiable."""
    found: torch.Tensor = _Sum.apply(
        values,
        tuple(dims),
        keepdim,
    )  # type: ignore[no-untyped-call]
    return found


def expand(values: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Repeated to a shape; differentiable."""
    if tuple(values.shape) == tuple(shape):
        return values
    found: torch.Tensor = _Expand.apply(values, tuple(shape))  # type: ignore[no-untyped-call]
    return found


def curve(values: torch.Tensor, name: str) -> torch.Tensor:
    """A function of single numbers; differentiable."""
    found: torch.Tensor = _Curve.apply(values, name)  # type: ignore[no-untyped-call]
    return found


def _summed(
    values: torch.Tensor,
    dims: Sequence[int],
    *,
    keepdim: bool,
) -> torch.Tensor:
    terms = math.prod(values.shape[dim] for dim in dims)
    if terms > 1:
        values = on_grid(values, _BITS - math.ceil(math.log2(terms + 1)))
    found: torch.Tensor = values.sum(tuple(dims), keepdim=keepdim)
    return found


def _multiplied(
    one: torch.Tensor,
    other: torch.Tensor,
    slices: int,
) -> torch.Tensor:
    bits = (_BITS - math.ceil(math.log2(one.shape[-1] + 1))) // 2
    first = on_grid(one, bits)
    second = on_grid(other, bits)
    found = first @ second
    if slices > 1:
        found = found + (
            first @ on_grid(other - second, bits) + on_grid(one - first, bits) @ second
        )
    return found


class _Matmul(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(
        one: torch.Tensor,
        other: torch.Tensor,
        slices: int,
    ) -> torch.Tensor:
        return _multiplied(
            one,
            other,
            slices,
        )

    @staticmethod
    def setup_context(
        ctx: TorchOwn,
        inputs: TorchOwn,
        _output: torch.Tensor,
    ) -> None:
        one, other, ctx.slices = inputs
        ctx.save_for_backward(one, other)

    @staticmethod
    def backward(ctx: TorchOwn, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        one, other = ctx.saved_tensors
        (grad,) = grads
        to_one = to_other = None
        if ctx.needs_input_grad[0]:
            to_one = _multiplied(
                grad,
                other.mT,
                ctx.slices,
            )
        if ctx.needs_input_grad[1]:
            to_other = _multiplied(
                one.mT,
                grad,
                ctx.slices,
            )
        return to_one, to_other, None


class _Sum(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(
        values: torch.Tensor,
        dims: tuple[int, ...],
        keepdim: bool,
    ) -> torch.Tensor:
        return _summed(
            values,
            dims,
            keepdim=keepdim,
        )

    @staticmethod
    def setup_context(
        ctx: TorchOwn,
        inputs: TorchOwn,
        _output: torch.Tensor,
    ) -> None:
        values, dims, _ = inputs
        ctx.shape = tuple(values.shape)
        ctx.kept = tuple(1 if at in dims else side for at, side in enumerate(ctx.shape))

    @staticmethod
    def backward(ctx: TorchOwn, *grads: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return grads[0].reshape(ctx.kept).expand(ctx.shape), None, None


class _Expand(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(values: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        return values.expand(shape)

    @staticmethod
    def setup_context(
        ctx: TorchOwn,
        inputs: TorchOwn,
        _output: torch.Tensor,
    ) -> None:
        values, shape = inputs
        ctx.shape = tuple(values.shape)
        wide = (1,) * (len(shape) - len(ctx.shape)) + ctx.shape
        pairs = zip(
            wide,
            shape,
            strict=True,
        )
        ctx.dims = tuple(at for at, (side, whole) in enumerate(pairs) if side != whole)

    @staticmethod
    def backward(ctx: TorchOwn, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        (grad,) = grads
        if ctx.dims:
            grad = _summed(
                grad,
                ctx.dims,
                keepdim=True,
            )
        return grad.reshape(ctx.shape), None


#: numpy's, on whole vectors: a number's last bit is the same wherever it stands
#: (:mod:`securefl.learning.whole_vectors`).
_CURVES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "tanh": np.tanh,
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "erf": scipy_erf,
}


class _Curve(torch.autograd.Function):
    @staticmethod
    def forward(values: torch.Tensor, name: str) -> torch.Tensor:
        with np.errstate(all="ignore"):
            return torch.from_numpy(_CURVES[name](values.detach().contiguous().numpy()))

    @staticmethod
    def vmap(
        info: TorchOwn,
        in_dims: tuple[int | None, ...],
        values: torch.Tensor,
        name: str,
    ) -> tuple[torch.Tensor, int | None]:
        del info
        at = in_dims[0]
        if at is None:
            return _Curve.apply(values, name), None  # type: ignore[no-untyped-call]
        return _Curve.apply(values.movedim(at, 0), name), 0  # type: ignore[no-untyped-call]

    @staticmethod
    def setup_context(
        ctx: TorchOwn,
        inputs: TorchOwn,
        output: torch.Tensor,
    ) -> None:
        values, ctx.name = inputs
        ctx.save_for_backward(values, output)

    @staticmethod
    def backward(ctx: TorchOwn, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        values, found = ctx.saved_tensors
        return grads[0] * _slope(
            ctx.name,
            values,
            found,
        ), None


def _slope(
    name: str,
    values: torch.Tensor,
    found: torch.Tensor,
) -> torch.Tensor:
    """Derivative of a curve at ``values``, where it is ``found``."""
    if name == "tanh":
        return 1.0 - found * found
    if name == "exp":
        return found
    if name == "log":
        return 1.0 / values
    if name == "sin":
        return curve(values, "cos")
    if name == "cos":
        return -curve(values, "sin")
    return curve(-values * values, "exp") * (2.0 / math.sqrt(math.pi))
