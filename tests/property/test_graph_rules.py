"""The rules by which a graph's operations run: no record moves another, and slopes are slopes."""

from types import SimpleNamespace

import numpy as np
import pytest
from graph_models import parameter, raw_graph, written

from securefl.learning.families.graph import OwnGraph
from securefl.learning.graphs import lifted_graph
from securefl.learning.graphs.exact_operations import summed
from securefl.learning.graphs.operations import OPERATIONS
from securefl.learning.graphs.run_layers import LAYER_RULES
from securefl.learning.graphs.run_operations import RULES, Ran

SLIDE = {"stride": [1, 1], "padding": [1, 0], "dilation": [1, 1], "groups": 1}
POOL = {"kernel": [2, 2], "stride": [1, 2], "padding": [1, 0]}
#: Operation, shapes of one record, options; several where a rule has several ways.
CASES = [
    *((name, [(1, 7)], {}) for name in ("relu", "tanh", "sigmoid", "neg", "abs", "exp", "log")),
    *((name, [(1, 7)], {}) for name in ("sqrt", "rsqrt", "reciprocal", "sin", "cos", "erf")),
    ("gelu", [(1, 7)], {"approximate": "none"}),
    ("gelu", [(1, 7)], {"approximate": "tanh"}),
    ("elu", [(1, 7)], {"alpha": 0.7}),
    ("leaky_relu", [(1, 7)], {"negative_slope": 0.1}),
    ("clamp", [(1, 7)], {"min": 0.4, "max": None}),
    *(("pow", [(1, 7)], {"exponent": e}) for e in (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0, 4.0)),
    ("add_number", [(1, 7)], {"other": 0.5}),
    ("mul_number", [(1, 7)], {"other": -0.5}),
    *((n, [(2, 1, 5), (3, 1)], {}) for n in ("add", "sub", "mul", "div", "maximum", "minimum")),
    ("sum", [(2, 3, 5)], {"dim": [0, 2], "keepdim": 1}),
    ("mean", [(2, 3, 6)], {"dim": [], "keepdim": 0}),
    ("amax", [(2, 3, 5)], {"dim": [-1], "keepdim": 0}),
    ("softmax", [(2, 3, 5)], {"dim": 1}),
    ("matmul", [(1, 6), (6, 3)], {}),
    ("matmul", [(2, 4, 6), (2, 6, 3)], {}),
    ("convolution", [(1, 2, 5, 4), (3, 2, 2, 2), (3,)], SLIDE),
    ("convolution", [(2, 4, 5, 4), (2, 2, 1, 2)], {**SLIDE, "groups": 2, "stride": [2, 1]}),
    (
        "convolution",
        [(1, 2, 9), (3, 2, 3), (3,)],
        {"stride": [2], "padding": [1], "dilation": [2], "groups": 1},
    ),
    ("group_norm", [(2, 4, 3, 3), (4,), (4,)], {"groups": 2, "eps": 0.01}),
    ("group_norm", [(1, 4), None, (4,)], {"groups": 2, "eps": 0.01}),
    ("layer_norm", [(1, 2, 3), (2, 3), (2, 3)], {"dimensions": 2, "eps": 0.01}),
    ("layer_norm", [(2, 3, 6)], {"dimensions": 1, "eps": 0.01}),
    ("max_pool2d", [(1, 2, 5, 4)], POOL),
    ("avg_pool2d", [(1, 2, 5, 4)], POOL),
    ("view", [(2, 6)], {"shape": [3, 4]}),
    ("permute", [(2, 3, 4)], {"dims": [2, 0, 1]}),
    ("unsqueeze", [(2, 3)], {"dim": 1}),
    ("squeeze", [(2, 1, 3)], {"dims": [1]}),
    ("expand", [(3, 1)], {"shape": [2, 3, 4]}),
    ("slice", [(2, 9)], {"dim": 1, "start": 1, "end": 8, "step": 3}),
    ("select", [(2, 3, 4)], {"dim": 1, "index": 2}),
    ("cat", [(2, 3), (2, 1)], {"dim": 1}),
    ("pad", [(2, 3)], {"pad": [1, 2, 0, 1], "value": 0.5}),
]


def named(case):
    return f"{case[0]}-{len(case[1])}"


def node_of(case):
    name, shapes, options = case
    known = OPERATIONS[name]
    known.check(shapes, options)
    return SimpleNamespace(name=name, options=options, shape=known.shape(shapes, options))


def ran(node, inputs, *, learning=True):
    if node.name in RULES:
        return RULES[node.name](inputs, node)
    return LAYER_RULES[node.name](inputs, node, [True] * len(inputs) if learning else None)


def drawn(generator, shapes, shared, block):
    """Positive numbers, none near a kink; one array for all records where it is shared."""
    return [
        None if shape is None else generator.uniform(0.3, 1.3, (1 if one else block, *shape))
        for shape, one in zip(shapes, shared, strict=True)
    ]


def sharings(shapes):
    """Every input a record's own; and all but the first shared, as weights are."""
    some = [(False,) * len(shapes)]
    if len(shapes) > 1:
        some += [(False, *(True,) * (len(shapes) - 1)), (True, *(False,) * (len(shapes) - 1))]
    return some


def test_every_operation_has_one_rule_and_a_case():
    assert not set(RULES) & set(LAYER_RULES)
    assert set(RULES) | set(LAYER_RULES) == set(OPERATIONS) == {name for name, _, _ in CASES}


def moves(node, shapes, shared, run=ran):
    """The largest change of some records when all others change, and stand elsewhere."""
    generator = np.random.default_rng(3)
    first = drawn(generator, shapes, shared, 128)
    slopes = generator.normal(size=(128, *node.shape))
    kept = generator.permutation(128)[:9]
    places = generator.permutation(64)[:9]
    second = drawn(generator, shapes, shared, 64)
    for number, one in enumerate(first):
        if one is not None and len(one) > 1:
            second[number][places] = one[kept]
        else:
            second[number] = one
    others = generator.normal(size=(64, *node.shape))
    others[places] = slopes[kept]
    one, other = run(node, first), run(node, second)
    pairs = [(one.result, other.result), *zip(one.back(slopes), other.back(others), strict=True)]
    found = 0.0
    for before, after in pairs:
        if before is not None and len(before) > 1:
            found = max(found, float(np.abs(before[kept] - after[places]).max()))
    return found


@pytest.mark.parametrize("case", CASES, ids=named)
def test_no_rule_moves_a_record_by_the_others(case):
    node = node_of(case)
    for shared in sharings(case[1]):
        assert moves(node, case[1], shared) == 0.0


def test_control_a_mean_over_the_block_is_noticed():
    def centred(node, inputs):
        found = ran(node, inputs)
        return Ran(found.result - found.result.mean(axis=0), found.back)

    case = ("tanh", [(1, 7)], {})
    assert moves(node_of(case), case[1], (False,), centred) > 1e-4


def test_control_a_plain_product_of_matrices_is_noticed():
    """Without grids the last bit follows from where a record stands: the wall is needed."""

    def plain(node, inputs):
        del node
        one, other = inputs
        rows = one.reshape(len(one), -1)
        found = (rows[: len(rows) - 1] @ other[0]).reshape(-1, 1, other.shape[-1])
        last = rows[-1:] @ other[0]
        return Ran(np.concatenate([found, last[None]]), lambda _: [None, None])

    case = ("matmul", [(1, 601), (601, 3)], {})
    assert moves(node_of(case), case[1], (False, True), plain) > 0.0


def test_records_are_never_added_up():
    with pytest.raises(ValueError, match="not added up"):
        summed(np.ones((4, 3)), [0, 1])


@pytest.mark.parametrize("case", CASES, ids=named)
def test_slopes_are_the_differences_of_the_results(case):
    node = node_of(case)
    shapes = case[1]
    generator = np.random.default_rng(4)
    for shared in sharings(shapes):
        inputs = drawn(generator, shapes, shared, 64)
        slopes = generator.normal(size=(64, *node.shape))
        before = [None if one is None else one.copy() for one in inputs]
        moved = ran(node, inputs).back(slopes)
        for one, kept in zip(inputs, before, strict=True):
            np.testing.assert_array_equal(one, kept)  # a rule writes into nobody's numbers
        for number, one in enumerate(inputs):
            if one is None:
                continue
            step = 1e-6 * generator.choice([-1.0, 1.0], one.shape[1:])
            ends = []
            for sign in (0.5, -0.5):
                given = list(inputs)
                given[number] = one + sign * step
                result = ran(node, given, learning=False).result
                ends.append(np.broadcast_to(result, slopes.shape))
            change = (slopes * (ends[0] - ends[1])).reshape(64, -1).sum(axis=1)
            want = (moved[number] * step).reshape(64, -1).sum(axis=1)
            np.testing.assert_allclose(want, change, rtol=1e-4, atol=1e-5 * 1e-6)


def test_equal_numbers_share_what_flows_back():
    for name, shapes, options in (
        ("maximum", [(1, 3), (1, 3)], {}),
        ("amax", [(1, 4)], {"dim": [1], "keepdim": 1}),
        ("max_pool2d", [(1, 1, 2, 2)], {"kernel": [2, 2], "stride": [1, 1], "padding": [0, 0]}),
    ):
        node = node_of((name, shapes, options))
        back = ran(node, [np.ones((64, *shape)) for shape in shapes]).back
        found = back(np.ones((64, *node.shape)))
        total = sum(part.reshape(64, -1).sum(axis=1) for part in found)
        np.testing.assert_array_equal(total, np.prod(node.shape))
        assert all((part > 0).all() for part in found)


def test_blocks_of_any_size_give_the_same_bits(monkeypatch):
    generator = np.random.default_rng(5)
    raw = {
        **raw_graph(6, 1),
        "parameters": [*raw_graph(6, 1)["parameters"][:3], parameter("last", 12, 1)],
    }
    raw["parameters"].append(parameter("bias", 1, start=0))
    x = generator.uniform(-1, 1, (200, 6))
    found = []
    for most in (1024, 64):
        monkeypatch.setattr(lifted_graph, "_MOST_RECORDS", most)
        family = OwnGraph(SimpleNamespace(graph=written(raw)), 6, 1)
        found.append(family.scores(np.full(family.parameters, 0.3), x))
    np.testing.assert_array_equal(*found)
