"""A graph's text: what is read, and what is refused."""

import json

import pytest
from graph_models import changed, graph_text, node, parameter, raw_graph, written

from securefl.learning.graphs import graph as limits
from securefl.learning.graphs.graph import read_graph
from securefl.learning.graphs.lifted_graph import block_records
from securefl.learning.graphs.operation import GraphFault

RAW = raw_graph(6, 3)


def test_a_graph_is_read_and_sized_without_running_it():
    found = read_graph(written(RAW))
    assert [one.name for one in found.nodes][:3] == ["view", "convolution", "group_norm"]
    assert found.nodes[1].shape == (1, 2, 6)
    assert found.size == 6 + 2 + 2 + 12 * 3 + 3
    # each weight of the filters meets each place, and each of the last layer one number
    assert found.products == 6 * 6 + 12 * 3
    assert found.nodes[0].line == 1
    assert block_records(found) == 1024


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (changed(RAW, "schema", "securefl-graph/2"), "no graph of the form"),
        ({**RAW, "code": "import os"}, "no graph of the form"),
        (changed(RAW, "outputs", 4), "4 scores of one record"),
        (changed(RAW, "output", 99), "no whole number"),
        (changed(RAW, "nodes", 0, "op", "__import__"), "not on the list"),
        (changed(RAW, "nodes", 0, "op", "batch_norm"), "not on the list"),
        (changed(RAW, "nodes", 0, "inputs", [6]), "no whole number from 0 to 5"),
        (changed(RAW, "nodes", 0, "inputs", [-1]), "no whole number"),
        (changed(RAW, "nodes", 0, "inputs", [True]), "no whole number"),
        (changed(RAW, "nodes", 0, "inputs", [0, 1]), "takes 1 tensors and is given 2"),
        (changed(RAW, "nodes", 0, "inputs", [None]), "lacks a tensor"),
        (changed(RAW, "nodes", 0, "options", "shape", [1, 1, 7]), "puts 1x6 into 1x1x7"),
        (changed(RAW, "nodes", 0, "options", "shape", [-1, -1, 6]), "puts"),
        (changed(RAW, "nodes", 0, "options", "more", 1), "no others"),
        (changed(RAW, "nodes", 0, "options", "shape", "6"), "another kind"),
        (changed(RAW, "nodes", 0, "options", "shape", [1.5, 4]), "another kind"),
        (changed(RAW, "nodes", 0, "layer", "a\nb"), "no short line"),
        (changed(RAW, "nodes", 0, "line", 10**9), "no whole number"),
        (changed(RAW, "nodes", 1, "options", "stride", [0]), "cannot be"),
        (changed(RAW, "nodes", 1, "options", "groups", 0), "another number of channels"),
        (changed(RAW, "nodes", 1, "options", "dilation", [9]), "a window of 3 on a side of 6"),
        (changed(RAW, "nodes", 2, "options", "eps", 0.0), "to a variance"),
        (changed(RAW, "nodes", 3, "options", "approximate", "exec"), "has no approximate"),
        (changed(RAW, "parameters", 1, "name", "filters"), "the same name"),
        (changed(RAW, "parameters", 1, "start", "drawn"), "fewer than two dimensions"),
        (changed(RAW, "parameters", 1, "start", 1e12), "beyond 1e9"),
        (changed(RAW, "parameters", 1, "shape", [0]), "no whole number"),
        (changed(RAW, "parameters", 1, "shape", [1] * 7), "at most 6"),
        ({**RAW, "constants": [{"shape": [2], "numbers": [1]}]}, "do not fit its shape"),
        ({**RAW, "nodes": [*RAW["nodes"], node("relu", [0])] * 100}, "at most 512"),
    ],
)
def test_what_breaks_a_rule_is_refused_in_words(raw, said):
    with pytest.raises(GraphFault, match=said):
        read_graph(written(raw))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        json.dumps(RAW),
        graph_text(6, 3).replace('"op"', '"op" '),
        graph_text(6, 3).replace('"start":1', '"start":NaN'),
        graph_text(6, 3).replace('"start":1', '"start":1e999'),
        graph_text(6, 3).replace('"output":12', '"output":12,"output":12'),
        '{"schema":"' + "9" * 200_000 + '"}',
    ],
)
def test_a_text_of_another_form_is_refused(text):
    with pytest.raises(GraphFault):
        read_graph(text)


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        # doubled thirty times: a billion numbers, from a few hundred letters
        ([node("cat", [n, n], dim=1) for n in range(6, 36)], "numbers"),
        ([node("expand", [0], shape=[1 << 20, 1 << 20, 6])], "numbers"),
        ([node("pad", [0], pad=[4096] * 4, value=0)], "numbers"),
        ([node("mul", [1, 1])] * 512 + [node("mul", [1, 1])], "at most 512"),
    ],
)
def test_memory_is_known_before_anything_runs(nodes, said):
    if nodes[0]["op"] == "cat":
        nodes = [node("cat", [0, 0], dim=1), *nodes]
    with pytest.raises(GraphFault, match=said):
        read_graph(written({**RAW, "nodes": nodes}))


def test_work_is_known_before_anything_runs():
    wide = [parameter("a", 1024, 1024), parameter("b", 6, 1)]
    nodes = [node("matmul", [1, 1])] * 3
    raw = {**RAW, "parameters": wide, "nodes": nodes}
    with pytest.raises(GraphFault, match="to 1,000,000 can be learnt"):
        read_graph(written(raw))
    wide[0] = parameter("a", 700, 700)
    with pytest.raises(GraphFault, match=f"at most {limits.MOST_NUMBERS:,} and"):
        read_graph(written(raw))


def test_constants_are_few():
    many = [{"shape": [4096], "numbers": [0] * 4096}, {"shape": [1], "numbers": [0]}]
    with pytest.raises(GraphFault, match=r"4,096 numbers that are not learnt"):
        read_graph(written({**RAW, "constants": many}))
