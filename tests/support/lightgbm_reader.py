"""A reader of LightGBM's text file of trees that shares no line with the writer: it walks nodes."""

from __future__ import annotations

import math


def read_trees(text):
    """(facts of the head, trees as dictionaries of lists)."""
    head, *blocks = text.split("\n\n")
    facts = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
    trees = []
    for block in blocks:
        if block.startswith("Tree="):
            pairs = (line.split("=", 1) for line in block.splitlines() if "=" in line)
            trees.append({name: [float(v) for v in value.split()] for name, value in pairs})
    return facts, trees


def leaf_of(tree, row):
    """The value of the leaf into which a row falls."""
    if tree["num_leaves"] == [1.0]:
        return tree["leaf_value"][0]
    node = 0
    while node >= 0:
        value = row[int(tree["split_feature"][node])]
        bits = int(tree["decision_type"][node])
        assert bits & 1 == 0  # no set of levels
        left = value <= tree["threshold"][node]
        if math.isnan(value):
            assert bits & 8  # what is missing is NaN
            left = bool(bits & 2)
        node = int(tree["left_child" if left else "right_child"][node])
    return tree["leaf_value"][~node]


def predictions(text, rows):
    """What the file says of rows, a list of figures each."""
    facts, trees = read_trees(text)
    outputs = int(facts["num_class"])
    found = []
    for row in rows:
        scores = [0.0] * outputs
        for number, tree in enumerate(trees):
            scores[number % outputs] += leaf_of(tree, row)
        if facts["objective"].startswith("binary"):
            found.append([1 / (1 + math.exp(-scores[0]))])
        else:
            whole = sum(math.exp(score) for score in scores)
            found.append([math.exp(score) / whole for score in scores])
    return found
