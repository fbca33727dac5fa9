"""Graphs that tests write by hand, and the sections of study files that hold them."""

from __future__ import annotations

import copy
import json
from types import SimpleNamespace

import rfc8785


def node(op, inputs, **options):
    """A node of a graph, from line 1 of an invented file."""
    return {"op": op, "inputs": inputs, "options": options, "layer": "model (Model)", "line": 1}


def parameter(name, *shape, start="drawn"):
    return {"name": name, "shape": list(shape), "start": start}


def raw_graph(features, outputs):
    """A small convolutional network over the features in a row, with a norm of the record."""
    parameters = [
        parameter("filters", 2, 1, 3),
        parameter("scale", 2, start=1),
        parameter("shift", 2, start=0),
        parameter("last", 2 * features, outputs),
        parameter("bias", outputs, start=0),
    ]
    slide = {"stride": [1], "padding": [1], "dilation": [1], "groups": 1}
    nodes = [
        node("view", [0], shape=[1, 1, features]),  # 6
        node("convolution", [6, 1], **slide),
        node("group_norm", [7, 2, 3], groups=1, eps=0.01),
        node("gelu", [8], approximate="none"),
        node("view", [9], shape=[1, 2 * features]),
        node("matmul", [10, 4]),
        node("add", [11, 5]),
    ]
    return {
        "schema": "securefl-graph/1",
        "features": features,
        "outputs": outputs,
        "parameters": parameters,
        "constants": [],
        "nodes": nodes,
        "output": 12,
    }


def written(raw):
    return rfc8785.dumps(raw).decode()


def graph_text(features, outputs):
    return written(raw_graph(features, outputs))


def changed(raw, *path_and_value):
    """A copy with one value changed: its path, then the value."""
    *path, last, value = path_and_value
    found = copy.deepcopy(raw)
    at = found
    for part in path:
        at = at[part]
    at[last] = value
    return found


def graph_section(features, outputs):
    return SimpleNamespace(graph=graph_text(features, outputs))


def model_table(features, outputs, source="# nothing"):
    """``[stages.model]`` of a study file, as the last lines of a table."""
    quoted = json.dumps(graph_text(features, outputs))
    return f'kind = "graph"\nfile = "model.py"\ngraph = {quoted}\nsource = {json.dumps(source)}'
