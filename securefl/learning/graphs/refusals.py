"""Reasons of refusals of operations that are not on the list, and what to write instead."""

from __future__ import annotations

from typing import Final

_BATCH: Final = (
    "takes statistics over a batch, so each record would change all others",
    "Use GroupNorm or LayerNorm: both look at one record alone.",
)
_RANDOM: Final = (
    "draws at random, and a graph draws nothing",
    "Delete it: the noise of private training keeps a model from learning single records by heart.",
)
_CHOICE: Final = (
    "decides by a value",
    "Use relu, clamp, torch.maximum or torch.minimum, which need no decision.",
)
_TABLE: Final = (
    "looks numbers up in a table",
    "Declare the column as a category: nn.Linear on its features of 0 and 1 does the same.",
)
_LOOP: Final = (
    "runs a part of the model again and again, or not at all",
    "Write the steps out: a graph runs each of its operations once.",
)
_UP: Final = (
    "slides filters in the other direction",
    "Use Conv1d, Conv2d or nn.Linear.",
)
_UNKNOWN: Final = (
    "is not on the list of operations",
    'The list stands in docs/own-model.md ("The list"); most layers can be written with it.',
)
#: Beginning of an operation's name → why it is refused, and what to write.
_REFUSED: Final[dict[str, tuple[str, str]]] = {
    "_native_batch_norm": _BATCH,
    "native_batch_norm": _BATCH,
    "batch_norm": _BATCH,
    "_batch_norm": _BATCH,
    "cudnn_batch_norm": _BATCH,
    "instance_norm": _BATCH,
    "native_dropout": _RANDOM,
    "dropout": _RANDOM,
    "bernoulli": _RANDOM,
    "rand": _RANDOM,
    "randn": _RANDOM,
    "randint": _RANDOM,
    "randperm": _RANDOM,
    "normal": _RANDOM,
    "rrelu": _RANDOM,
    "where": _CHOICE,
    "gt": _CHOICE,
    "ge": _CHOICE,
    "lt": _CHOICE,
    "le": _CHOICE,
    "eq": _CHOICE,
    "ne": _CHOICE,
    "embedding": _TABLE,
    "index": _TABLE,
    "gather": _TABLE,
    "cond": _LOOP,
    "while_loop": _LOOP,
    "map_impl": _LOOP,
    "scan": _LOOP,
    "transposed convolution": _UP,
}


def why_refused(name: str) -> tuple[str, str]:
    """The reason why an operation is refused, and what to use instead."""
    found = [known for known in _REFUSED if name == known or name.startswith(f"{known}_")]
    if found:
        return _REFUSED[max(found, key=len)]
    return _UNKNOWN
