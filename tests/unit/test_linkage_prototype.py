"""The prototype of docs/linkage.md: both ways count each person once, what their parties can try, and
the figures on the page.
"""

import importlib.util
import re
from pathlib import Path

import pytest
from conftest import protocol_text
from consortium import SMALL

from securefl.learning.stages.programme import charges_of
from securefl.privacy.planning import study_epsilon
from securefl.study.parse import parse_protocol

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "linkage.md").read_text("utf-8")
_SPEC = importlib.util.spec_from_file_location("linkage", ROOT / "benchmarks/linkage/linkage.py")
linkage = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(linkage)
#: As many people as there are days of birth to be tried.
GUESSES = [b"patient-%d" % n for n in range(40)]
OURS = GUESSES[7:12]


def test_both_ways_count_each_person_once():
    given = linkage.tables(4, 20, 0.25)
    evaluator = linkage.Evaluator(80)
    ways = (
        {site: linkage.keyed(own, b"k" * 32) for site, own in given.items()},
        {site: linkage.oblivious(own, evaluator) for site, own in given.items()},
    )
    for hidden in ways:
        same = {
            p: one for site, own in given.items() for one, p in zip(own, hidden[site], strict=True)
        }
        assert len(same) == len(set(same.values())) == 60
        bits = linkage.counted(hidden)
        chosen = [
            one
            for site, own in given.items()
            for one, bit in zip(own, bits[site], strict=True)
            if bit
        ]
        assert sorted(chosen) == sorted(set(same.values()))


def test_who_has_the_key_of_the_hash_tries_everybody():
    hidden = set(linkage.keyed(OURS, b"k" * 32))
    assert [g for g in GUESSES if linkage.keyed([g], b"k" * 32)[0] in hidden] == OURS
    assert not [g for g in GUESSES if linkage.keyed([g], b"x" * 32)[0] in hidden]


def test_the_oblivious_way_is_tried_only_as_often_as_the_evaluator_answers():
    evaluator = linkage.Evaluator(len(OURS) + 10)
    hidden = set(linkage.oblivious(OURS, evaluator))
    # control: as often as it answers, a guess is right or wrong
    assert [g for g in GUESSES[:10] if linkage.oblivious([g], evaluator)[0] in hidden] == OURS[:3]
    with pytest.raises(ValueError, match="more than was agreed"):
        linkage.oblivious(GUESSES[10:], evaluator)
    # who has no answer has another function
    stranger = linkage.Evaluator(len(GUESSES))
    assert not hidden & set(linkage.oblivious(GUESSES, stranger))


def test_the_evaluator_sees_other_points_each_time():
    seen = []

    class Watching(linkage.Evaluator):
        def answer(self, blinded):
            seen.append(tuple(blinded))
            return super().answer(blinded)

    evaluator = Watching(20)
    assert linkage.oblivious(OURS, evaluator) == linkage.oblivious(OURS, evaluator)
    assert not set(seen[0]) & set(seen[1])
    with pytest.raises(ValueError, match=r".+"):
        evaluator.answer([b"\xff" * 32])


@pytest.mark.soak
def test_the_epsilons_of_several_hospitals_on_the_page():
    study = parse_protocol(protocol_text(*SMALL).encode())
    charges, attempts = charges_of(study), study.privacy.max_attempts
    rows = re.findall(r"^\| ([1-5]) \| ([0-9.]+) \|$", PAGE, re.MULTILINE)
    assert [n for n, _ in rows] == ["1", "2", "3", "5"]
    for hospitals, said in rows:
        found = study_epsilon(
            charges, attempts * int(hospitals), study.privacy.delta, disjoint=True
        )
        assert f"{found:f}" == said


def test_the_epsilons_of_the_bits_on_the_page():
    told = re.findall(r"^\| ([23]) \| ([0-9.]+) \| ([0-9.]+) \| ([0-9.]+) \|$", PAGE, re.MULTILINE)
    assert len(told) == 2
    for hospitals, *said in told:
        for share, figure in zip((0.05, 0.1, 1 / 3), said, strict=True):
            assert f"{linkage.told_epsilon(int(hospitals), share):.3f}" == figure
