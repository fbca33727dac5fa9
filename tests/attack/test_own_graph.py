"""Attacks by a researcher whose model is a graph: on other records, memory, the noise, the reader.

Each has a control in which the wall is missing and the attack succeeds.
"""

import json
import random
from contextlib import suppress
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from graph_models import changed, graph_text, node, parameter, raw_graph, written
from small_study import SPEC, FixedDraws, rule
from torch import nn

from securefl.learning.families.graph import OwnGraph
from securefl.learning.graphs import graph as graphs
from securefl.learning.graphs.graph import read_graph
from securefl.learning.graphs.operation import GraphFault
from securefl.learning.graphs.operations import OPERATIONS
from securefl.learning.steps import PrivateSteps
from securefl.learning.tasks import task_of

TASK = task_of(SPEC)


def linear(*before):
    """A linear model of six features with these nodes in front; its last value is the input."""
    nodes = [*before, node("matmul", [2 + len(before), 1]), node("add", [3 + len(before), 2])]
    raw = {
        **raw_graph(6, 1),
        "parameters": [parameter("weight", 6, 1), parameter("bias", 1, start=0)],
        "nodes": nodes,
        "output": 2 + len(nodes),
    }
    return OwnGraph(SimpleNamespace(graph=written(raw)), 6, 1)


def rows(count=40):
    generator = np.random.default_rng(5)
    return generator.uniform(-1, 1, (count, 6)), generator.integers(0, 2, count).astype(float)


def summed(family, x, y):
    steps = PrivateSteps(rule(sample_rate=Fraction(1)), family.gradients(TASK), x, y, FixedDraws())
    return steps.noised_steps(np.full(family.parameters, 0.3))


def test_a_mean_over_the_batch_is_that_of_one_record():
    reads = linear(node("mean", [0], dim=[0], keepdim=1), node("sub", [0, 3]))
    (x, y), theta = rows(), np.full(reads.parameters, 0.3)
    gradients = reads.gradients(TASK)
    np.testing.assert_array_equal(gradients(theta, x, y)[1:], gradients(theta, x[1:], y[1:]))


def test_control_the_same_mean_in_plain_pytorch_carries_every_record_into_all_others():
    torch.manual_seed(0)
    layer, (x, _) = nn.Linear(6, 1).double(), rows()

    def scores(batch):
        found = torch.from_numpy(batch)
        return layer(found - found.mean(0, keepdim=True)).detach().numpy()

    assert np.abs(scores(x)[1:] - scores(x[1:])).min() > 1e-4


GROWS = [node("cat", [0, 0], dim=1), *(node("cat", [n, n], dim=1) for n in range(6, 46))]


def test_a_graph_that_doubles_without_end_is_refused_before_anything_is_allocated():
    with pytest.raises(GraphFault, match="numbers"):
        read_graph(written({**raw_graph(6, 1), "nodes": GROWS}))


def test_control_without_the_limit_the_same_text_asks_for_terabytes(monkeypatch):
    raw = {**raw_graph(6, 1), "nodes": [*GROWS, *raw_graph(6, 1)["nodes"][:0]], "output": 0}
    monkeypatch.setattr(graphs, "MOST_NUMBERS", 1 << 60)
    asked = graphs._Sized([(1, 6), *((1, 1),) * 5], 0)
    for one in raw["nodes"]:
        asked.node(one)
    assert 8 * asked.numbers > 1 << 44


def test_a_record_that_makes_nan_counts_nothing_and_moves_nobody():
    logs = linear(node("add_number", [0], other=0.5), node("log", [3]))
    x, y = rows()
    fine = (x > -0.5).all(axis=1)
    assert 3 < fine.sum() < 37
    np.testing.assert_array_equal(summed(logs, x, y), summed(logs, x[fine], y[fine]))


def test_control_in_a_plain_sum_one_nan_is_everybodys():
    logs = linear(node("add_number", [0], other=0.5), node("log", [3]))
    x, y = rows()
    gradients = logs.gradients(TASK)(np.full(7, 0.3), x, y)
    assert np.isnan(gradients.sum(axis=0)).any()


def test_a_graph_that_shouts_one_record_says_no_more_than_the_clip_norm():
    shouts = linear(*(node("mul_number", [2 + n if n else 0], other=1e9) for n in range(3)))
    x, y = rows()
    moved = summed(shouts, x, y) - summed(shouts, x[1:], y[1:])
    assert 0 < (moved.astype(object) ** 2).sum() <= rule().grid ** 2


def test_control_without_the_clip_it_drowns_all_noise():
    shouts = linear(*(node("mul_number", [2 + n if n else 0], other=1e9) for n in range(3)))
    x, y = rows()
    gradient = shouts.gradients(TASK)(np.full(7, 1e-28), x[:1], y[:1])
    assert np.linalg.norm(gradient) > 1e20 * float(rule().sigma) / rule().grid


@pytest.mark.parametrize("name", ["exec", "__class__", "native_batch_norm", "randn", "while_loop"])
def test_an_operation_that_is_not_listed_is_refused(name):
    raw = changed(raw_graph(6, 1), "nodes", 3, node(name, [8]))
    with pytest.raises(GraphFault, match="not on the list"):
        read_graph(written(raw))


def test_control_the_list_alone_keeps_it_out(monkeypatch):
    monkeypatch.setitem(OPERATIONS, "randn", OPERATIONS["tanh"])
    raw = changed(raw_graph(6, 1), "nodes", 3, node("randn", [8]))
    read_graph.__wrapped__(written(raw))


def test_crafted_text_is_read_or_refused_and_nothing_else_happens():
    dice, text = random.Random(1), graph_text(6, 1)
    pieces = ["null", "[]", "{}", "-1", "1e308", "true", '"x"', "99999999999999999999", "[[]]", "0"]
    values = [at for at, letter in enumerate(text) if letter == ":"]
    refused = 0
    for _ in range(400):
        at = dice.choice(values) + 1
        end = min(text.find(sign, at) for sign in ",}]" if text.find(sign, at) > 0)
        crafted = text[:at] + dice.choice(pieces) + text[end:]
        with suppress(ValueError):
            crafted = written(json.loads(crafted))
        try:
            read_graph.__wrapped__(crafted)
        except GraphFault:
            refused += 1
    assert refused > 200


def test_a_name_that_stands_twice_is_refused_for_readers_differ_on_it():
    text = graph_text(6, 1)
    twice = text.replace('"output":12', '"output":11,"output":12')
    with pytest.raises(GraphFault, match="canonical"):
        read_graph(twice)
    # the control: JSON's own reader takes the last one and says nothing
    assert json.loads(twice)["output"] == 12
