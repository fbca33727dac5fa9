import math
import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from secagg_round import digest_of

from securefl.errors import StudyError
from securefl.secagg.neighbours import Degree, Neighbours, _least_exceeded, _log2_tail, plan_degree

SEED = digest_of("seed")
NAMES = tuple(f"H{i:03}" for i in range(60))


def degree(value, near=0):
    return Degree(value, near, value // 2 + near + 2, 99.0, 99.0)


def test_everybody_is_everybodys_neighbour_in_the_complete_graph():
    graph = Neighbours.complete(NAMES[:5], 4)
    assert graph.of("H001") == ("H000", "H002", "H003", "H004")
    assert graph.holders("H001") == NAMES[:5]
    assert (graph.degree, graph.share_threshold) == (4, 4)


def test_the_sparse_graph_is_regular_symmetric_and_without_loops():
    graph = Neighbours.sparse(NAMES, degree(12), SEED)
    for name in NAMES:
        near = graph.of(name)
        assert len(near) == 12
        assert name not in near
        assert all(name in graph.of(other) for other in near)
        assert set(graph.holders(name)) == {*near, name}


def test_the_order_comes_from_the_seed_alone():
    one, two = (
        Neighbours.sparse(NAMES, degree(6), SEED),
        Neighbours.sparse(NAMES[::-1], degree(6), SEED),
    )
    assert one.ring == two.ring
    assert Neighbours.sparse(NAMES, degree(6), digest_of("another")).ring != one.ring


def test_over_seeds_every_pair_is_as_often_joined():
    names = NAMES[:12]
    joined = dict.fromkeys(combinations(names, 2), 0)
    for seed in range(600):
        graph = Neighbours.sparse(names, degree(4), digest_of(str(seed)))
        for pair in joined:
            joined[pair] += pair[1] in graph.of(pair[0])
    expected, sd = 600 * 4 / 11, math.sqrt(600 * 4 / 11 * 7 / 11)
    assert max(abs(count - expected) for count in joined.values()) < 4.5 * sd


@pytest.mark.parametrize("value", [5, 0, 59, 60])
def test_degrees_that_no_ring_graph_has_are_refused(value):
    with pytest.raises(StudyError):
        Neighbours.sparse(NAMES, degree(value), SEED)


@pytest.mark.parametrize(
    ("others", "marked", "drawn", "most"), [(20, 5, 6, 2), (99, 10, 30, 6), (9, 9, 4, 3)]
)
def test_the_tail_is_that_of_scipy(others, marked, drawn, most):
    from scipy.stats import hypergeom

    exact = hypergeom.sf(most, others, marked, drawn)
    assert 2 ** _log2_tail(others, marked, drawn, most) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    ("others", "marked", "drawn", "bits"),
    [(999, 50, 100, 57.0), (99, 5, 20, 40.0), (999, 100, 150, 30.0)],
)
def test_the_least_bound_is_the_least(others, marked, drawn, bits):
    least = _least_exceeded(others, marked, drawn, bits)
    assert _log2_tail(others, marked, drawn, least) <= -bits
    assert least == 0 or _log2_tail(others, marked, drawn, least - 1) > -bits


def figure(bits):
    return "never" if bits == math.inf else f"2^-{bits:.1f}"


def test_the_figures_that_the_decision_page_shows():
    page = (
        Path(__file__).parents[2] / "docs" / "decisions" / "0012-dropouts-in-one-frame.md"
    ).read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \| (.*) \|$", page, re.MULTILINE)
    assert len(rows) == 6
    for hospitals, colluders, dropouts, rest in rows:
        plan = plan_degree(int(hospitals), int(colluders), int(dropouts))
        shown = (
            plan.degree,
            plan.colluders_near,
            plan.share_threshold,
            figure(plan.privacy_bits),
            figure(plan.loss_bits),
        )
        assert rest == " | ".join(map(str, shown))


def test_without_colluders_the_threshold_needs_only_the_ring():
    assert plan_degree(30, 0, 1).colluders_near == 0


@pytest.mark.parametrize(
    ("hospitals", "colluders", "dropouts"), [(21, 2, 2), (50, 2, 5), (200, 20, 10), (1000, 100, 50)]
)
def test_a_plan_keeps_both_promises_and_is_the_smallest(hospitals, colluders, dropouts):
    plan = plan_degree(hospitals, colluders, dropouts)
    assert plan.privacy_bits >= 40
    assert plan.loss_bits >= 20
    assert plan.share_threshold == plan.degree // 2 + plan.colluders_near + 2 <= plan.degree


def test_where_no_sparse_graph_is_safe_there_is_none():
    assert plan_degree(21, 12, 4) is None
    assert plan_degree(4, 1, 1) is None


def test_an_adversary_that_picks_the_lost_in_full_sight_never_splits_the_ring():
    """The claim that the module proves: where every opened survivor has more than half of its
    neighbours, survivors hang together.
    """
    rng = np.random.default_rng(3)
    graph = Neighbours.sparse(NAMES, degree(8), SEED)
    at = {name: i for i, name in enumerate(graph.ring)}
    tried = 0
    for _ in range(3000):
        # the adversary cuts whole stretches out of the ring, which is the best it can do
        lost = set()
        for start in rng.integers(0, 60, rng.integers(1, 4)):
            lost |= {graph.ring[(start + i) % 60] for i in range(rng.integers(1, 7))}
        left = set(NAMES) - lost
        openable = {name for name in left if sum(other in left for other in graph.of(name)) > 4}
        if openable != left:
            continue
        tried += 1
        reached, front = set(), [next(iter(left))]
        while front:
            name = front.pop()
            if name not in reached:
                reached.add(name)
                front += [other for other in graph.of(name) if other in left]
        assert reached == left, sorted(at[name] for name in lost)
    assert tried > 100


@pytest.mark.parametrize(
    ("hospitals", "colluders", "near"),
    [(200, 20, 24), (200, 33, 52), (200, 20, 36), (500, 33, 88), (1000, 66, 40)],
)
def test_the_least_threshold_counts_every_hospital_and_every_draw(hospitals, colluders, near):
    """Cases where one draw more, or hospitals and draws added instead of multiplied, would allow
    another threshold.
    """
    graph = Neighbours(tuple(f"H{i:04}" for i in range(hospitals)), near, 0, SEED)
    exceeded = (
        -_log2_tail(hospitals - 1, colluders, near, m) - math.log2(hospitals * (colluders + 1))
        for m in range(near)
    )
    beside = next(m for m, bits in enumerate(exceeded) if bits >= 40)
    assert graph.least_threshold(hospitals, colluders) == near // 2 + beside + 2
    assert Neighbours.complete(graph.ring, 150).least_threshold(150, colluders) == 150


def test_a_planned_graph_allows_the_fewest_colluders_near_that_keep_the_promise():
    plan = plan_degree(402, 20, 20)
    assert (plan.degree, plan.colluders_near, plan.share_threshold) == (72, 19, 57)
    draws = math.log2(402 * 21)
    assert -_log2_tail(401, 20, plan.degree, plan.colluders_near) - draws >= 40
    assert -_log2_tail(401, 20, plan.degree, plan.colluders_near - 1) - draws < 40


@pytest.mark.parametrize("count", range(2, 8))
def test_in_a_complete_graph_of_any_size_everybody_holds_for_everybody(count):
    graph = Neighbours.complete(NAMES[:count], 2)
    for name in NAMES[:count]:
        assert graph.holders(name) == NAMES[:count]
        assert graph.of(name) == tuple(other for other in NAMES[:count] if other != name)


def test_the_least_and_the_greatest_degree_of_a_ring():
    assert Neighbours.sparse(NAMES, degree(2), SEED).degree == 2
    assert Neighbours.sparse(NAMES, degree(58), SEED).degree == 58
    with pytest.raises(StudyError):
        Neighbours.sparse(NAMES[:59], degree(58), SEED)
