"""Everybody masks with everybody, and holds shares for everybody."""

from securefl.secagg.neighbours import Neighbours

NAMES = ("A", "B", "C", "D")


def test_everybody_is_everybodys_neighbour_and_its_own_holder():
    graph = Neighbours(NAMES, 3)
    assert graph.degree == 3
    for name in NAMES:
        assert graph.of(name) == tuple(n for n in NAMES if n != name)
        assert graph.holders(name) == NAMES
