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
    (
        "Use relu, clamp, torch.maximum or torch.minimum, which need no decision; LeakyReLU in place of"
        " PReLU."
    ),
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
_CELL: Final = (
    "runs its cell once a step, from a state of zeros",
    "Write the steps out with nn.Linear, sigmoid and tanh, or use Conv1d.",
)
_FILLED: Final = (
    "fills a tensor with numbers while the model runs",
    (
        "Write the number itself (1 + y), or make the tensor in __init__:"
        " self.register_buffer('steps', torch.arange(4.0)). A first state of zeros can be left out:"
        " begin with the first step."
    ),
)
_MASK: Final = (
    "decides by a value",
    (
        f"{_CHOICE[1]} A mask of attention is added to the scores before their softmax: y + self.mask,"
        " a buffer of 0 and -1e9."
    ),
)
_ATTENTION: Final = (
    "looks for rows that see nothing, which decides by a value",
    (
        "Write torch.softmax(q @ k.transpose(1, 2) / k.shape[2] ** 0.5, 2) @ v, or call"
        " nn.MultiheadAttention with need_weights=True; in place of nn.TransformerEncoderLayer it, a"
        " LayerNorm and two nn.Linear."
    ),
)
_TYPE: Final = (
    "changes the type of numbers",
    "Delete .float(), .double() and .to(...): a graph reckons in float64.",
)
_POOL: Final = (
    "chooses its patches by the size of what it gets",
    "Use AvgPool or MaxPool with a kernel_size, or y.mean(...) over the dimensions.",
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
    "where": _MASK,
    "gt": _CHOICE,
    "ge": _CHOICE,
    "lt": _CHOICE,
    "le": _CHOICE,
    "eq": _CHOICE,
    "ne": _CHOICE,
    "embedding": _TABLE,
    "index": _TABLE,
    "gather": _TABLE,
    "whole numbers": _TABLE,
    "cond": _LOOP,
    "while_loop": _LOOP,
    "map_impl": _LOOP,
    "scan": _LOOP,
    "transposed convolution": _UP,
    "recurrent cell": _CELL,
}
_NOT_LISTED: Final = _UNKNOWN[0]
_SPREAD: Final = (
    _NOT_LISTED,
    (
        "Write it out: c = y - y.mean(1, keepdim=True); v = (c * c).mean(1, keepdim=True);"
        " (v + 1e-6).sqrt() is the deviation. LayerNorm divides by it."
    ),
)
#: Operation, by its whole name → why it is refused, and the same in words of the list.
_WRITTEN_OUT: Final[dict[str, tuple[str, str]]] = {
    "mean": ("goes over all dimensions, the records' too", "Write y.mean(1, keepdim=True)."),
    "max": ("goes over all dimensions, or gives places", "Write y.amax(1, keepdim=True)."),
    "min": (_NOT_LISTED, "Write -(-y).amax(1, keepdim=True)."),
    "amin": (_NOT_LISTED, "Write -(-y).amax(1, keepdim=True)."),
    "var": _SPREAD,
    "std": _SPREAD,
    "linalg_vector_norm": (
        _NOT_LISTED,
        "Write ((y * y).sum(1, keepdim=True) + 1e-6).sqrt(), and divide by it to normalise.",
    ),
    "log1p": (
        _NOT_LISTED,
        "Write torch.log(1 + y); softplus is torch.relu(y) + torch.log(1 + torch.exp(-y.abs())).",
    ),
    "expm1": (_NOT_LISTED, "Write torch.exp(y) - 1."),
    "_log_softmax": (
        _NOT_LISTED,
        (
            "Return the scores themselves: the task's loss takes their softmax. Inside a model write"
            " torch.log(torch.softmax(y, 1))."
        ),
    ),
    "arange": (
        _FILLED[0],
        f"{_FILLED[1]} In place of interpolate: y.unsqueeze(2).expand(1, 4, 2).reshape(1, 8).",
    ),
    "full": _FILLED,
    "full_like": _FILLED,
    "scalar_tensor": _MASK,
    "_to_copy": _TYPE,
    "_adaptive_avg_pool2d": _POOL,
    "adaptive_max_pool2d": _POOL,
    "scaled_dot_product_attention": _ATTENTION,
    "_trilinear": (_NOT_LISTED, "Write self.last(self.a(y) * self.b(z)), each an nn.Linear."),
    "cumsum": (
        _NOT_LISTED,
        "Write y @ self.sums, with self.register_buffer('sums', torch.ones(4, 4).triu()).",
    ),
    "prod": (_NOT_LISTED, "Multiply the parts: y[:, 0:1] * y[:, 1:2]."),
    "tan": (_NOT_LISTED, "Write torch.sin(y) / torch.cos(y)."),
    "atan": (_NOT_LISTED, "Write torch.tanh(y), which is of the same form."),
    "flip": (_NOT_LISTED, "Put the parts together: torch.cat([y[:, 1:2], y[:, 0:1]], 1)."),
    "pow": ("has a tensor as its exponent", "Write torch.exp(z * torch.log(y))."),
    "div": ("rounds", "Write y / 2 without rounding."),
    "sort": _CHOICE,
    "topk": _CHOICE,
    "argmax": _CHOICE,
    "argmin": _CHOICE,
    "sign": _CHOICE,
    "round": _CHOICE,
    "floor": _CHOICE,
    "ceil": _CHOICE,
    "trunc": _CHOICE,
}


def why_refused(name: str) -> tuple[str, str]:
    """The reason why an operation is refused, and what to use instead."""
    if name in _WRITTEN_OUT:
        return _WRITTEN_OUT[name]
    found = [known for known in _REFUSED if name == known or name.startswith(f"{known}_")]
    if found:
        return _REFUSED[max(found, key=len)]
    return _UNKNOWN
