"""Edges from the published prevalence: what they lose, how a study file says them, and that a
sealed study lists them.
"""

import tomllib
from decimal import Decimal
from itertools import pairwise

import pytest
from conftest import edited, make_study, protocol_text
from simulated_evaluations import Setting

from securefl.errors import StudyError
from securefl.study.counts import evaluation_of
from securefl.study.edges import DEFAULT_BINS, default_edges
from securefl.study.parse import parse_protocol, parse_study

EDGES = 'edges = ["0.1", "0.3", "0.5"]'
PREVALENCE = 'prevalence = "0.07"\nprevalence_source = "A register"'
AUCS = (0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.986)


@pytest.mark.parametrize("prevalence", ["0.02", "0.05", "0.1", "0.2", "0.35", "0.5"])
def test_the_default_bands_lose_at_most_half_a_hundredth_of_the_auc(prevalence):
    positives = round(10_000 * float(prevalence))
    for auc in AUCS:
        lost = auc - Setting(auc, positives, 10_000 - positives).banded_auc()
        assert 0 <= lost <= 0.005


def test_bands_even_from_0_to_1_lose_many_times_as_much():
    from securefl.learning.tasks.binary.discrimination import histogram_auc
    from securefl.learning.tasks.binary.expected import band_shares

    even = [Decimal(i) / DEFAULT_BINS for i in range(1, DEFAULT_BINS)]
    assert 0.7 - histogram_auc(*band_shares(0.7, 0.02, even)) > 0.1


@pytest.mark.parametrize("bins", [2, 3, 8, 12, 64])
@pytest.mark.parametrize("prevalence", ["0.001", "0.02", "0.5", "0.73", "0.999"])
def test_edges_rise_within_the_score_and_the_prevalence_lies_in_their_middle(prevalence, bins):
    edges = default_edges(Decimal(prevalence), bins)
    assert len(edges) == bins - 1
    assert all(a < b for a, b in pairwise((Decimal(0), *edges, Decimal(1))))
    if bins % 2 == 0:
        assert edges[bins // 2 - 1] == Decimal(prevalence)


def test_a_protocol_may_say_the_prevalence_instead_of_edges():
    spec = evaluation_of(parse_protocol(protocol_text((EDGES, PREVALENCE))))
    assert spec.edges == default_edges(Decimal("0.07"))
    assert spec.bins == 12
    few = evaluation_of(parse_protocol(protocol_text((EDGES, PREVALENCE + "\nbins = 6"))))
    assert (few.bins, few.edges) == (6, default_edges(Decimal("0.07"), 6))
    both = evaluation_of(parse_protocol(protocol_text((EDGES, EDGES + "\n" + PREVALENCE))))
    assert (both.bins, len(both.edges)) == (4, 3)


def test_a_sealed_study_lists_its_edges_and_one_without_them_is_refused():
    text, *_ = make_study(5, (EDGES, PREVALENCE))
    assert [Decimal(e) for e in tomllib.loads(text)["stages"][1]["edges"]] == list(
        default_edges(Decimal("0.07"))
    )
    assert evaluation_of(parse_study(text)).bins == 12
    listed = next(line for line in text.splitlines() if line.startswith("edges"))
    with pytest.raises(StudyError, match="a sealed study lists its edges"):
        parse_study(edited(text, (listed, "")))


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ("", r"stages\.2\.edges: is missing: name the published share"),
        ('prevalence = "0.07"', r"stages\.2\.prevalence_source: is missing"),
        (
            'prevalence = "0"\nprevalence_source = "x"',
            r"stages\.2\.prevalence: must be at least 0\.001",
        ),
        (
            'prevalence = "1.2"\nprevalence_source = "x"',
            r"stages\.2\.prevalence: must be at least",
        ),
        (
            'prevalence = "7 %"\nprevalence_source = "x"',
            r"stages\.2\.prevalence: expected a decimal number",
        ),
        ('prevalence = 0.07\nprevalence_source = "x"', r"stages\.2\.prevalence: write it as text"),
        (PREVALENCE + "\nbins = 1", r"stages\.2\.bins"),
        (PREVALENCE + '\nbins = "6"', r"stages\.2\.bins: .*whole number"),
        (EDGES + "\nbins = 6", r"stages\.2\.bins: says 6, but 3 edges make 4"),
    ],
)
def test_a_fault_in_them_names_its_key_and_the_mend(new, why):
    with pytest.raises(StudyError, match=why):
        parse_protocol(protocol_text((EDGES, new)))


def test_a_stage_that_is_no_table_is_refused_by_name():
    text = protocol_text()
    head, rest = text.split("[[stages]]", 1)
    after = rest[rest.index("[secagg]") :]
    for said in ("3", "[3]", '["evaluate"]'):
        with pytest.raises(StudyError, match=r"stages(\.1)?: expected a (list|table)"):
            parse_protocol(f"stages = {said}\n" + head + after)
    sealed = make_study(5)[0]
    head, rest = sealed.split("[[stages]]", 1)
    with pytest.raises(StudyError, match=r"stages: expected a list"):
        parse_study("stages = 3\n" + head + rest[rest.rindex("[secagg]") :])
