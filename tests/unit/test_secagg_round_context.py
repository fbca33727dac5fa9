from dataclasses import fields, replace

import pytest
from secagg_round import digest_of, make_facts

from securefl.errors import StudyError
from securefl.secagg import round_context
from securefl.secagg.group_contexts import context_of, group_contexts
from securefl.secagg.number_layout import NumberLayout
from securefl.secagg.packing import FieldLayout
from securefl.secagg.round_context import RoundContext

OTHER = {
    "study": digest_of("another study"),
    "round": 2,
    "attempt": 2,
    "kind": "evaluation",
    "cohort": ("A", "B", "C", "D", "E"),
    "public_key_sha256": digest_of("another key"),
    "layout": FieldLayout(12, 5),
    "length": 11,
    "bound": 101,
    "instances": tuple(digest_of(f"another run of {n}") for n in range(5)),
    "model_sha256": digest_of("another model"),
    "groups": (make_facts().cohort[:2], make_facts().cohort[2:]),
}


def test_every_fact_has_a_counterexample_here():
    assert set(OTHER) == {field.name for field in fields(RoundContext)}


@pytest.mark.parametrize("name", OTHER)
def test_every_fact_changes_the_digest(name):
    facts = make_facts()
    assert replace(facts, **{name: OTHER[name]}).digest() != facts.digest()


@pytest.mark.parametrize("primes", [1, 2, 3])
def test_how_the_numbers_travel_is_part_of_the_digest(primes):
    under_keys = replace(make_facts(), layout=NumberLayout(16, 5, primes))
    others = [
        make_facts(),
        *(replace(make_facts(), layout=NumberLayout(16, 5, n)) for n in {1, 2, 3} - {primes}),
    ]
    assert under_keys.digest() not in {facts.digest() for facts in others}
    assert (under_keys.chunks, under_keys.cipher_layout) == (1, FieldLayout(8, 5))
    assert under_keys.sections[0].masked
    assert not any(section.masked for section in under_keys.sections[1:])


COHORT = make_facts().cohort


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ((COHORT[:3], COHORT[2:]), "in two groups"),
        ((COHORT[:2], COHORT[2:4]), "do not make the cohort"),
        ((COHORT[2:], COHORT[:2]), "not in order"),
        ((COHORT[:2][::-1], COHORT[2:]), "not in order"),
        (((), COHORT), "a group is empty"),
    ],
    ids=["overlap", "one left out", "groups turned", "names turned", "empty"],
)
def test_groups_that_contradict_the_cohort_are_refused(groups, why):
    with pytest.raises(StudyError, match=why):
        replace(make_facts(), groups=groups)


def test_groups_need_not_follow_the_order_of_the_cohort():
    apart = (COHORT[0], COHORT[2]), (COHORT[1], *COHORT[3:])
    assert replace(make_facts(), groups=apart).cohort == COHORT


def test_a_groups_facts_name_the_group_alone_and_are_bound_to_the_whole_division():
    groups = (COHORT[:2], COHORT[2:])
    whole = replace(make_facts(), groups=groups)
    first, second = group_contexts(whole)
    assert (first.cohort, second.cohort) == groups
    assert first.instances == whole.instances[:2]
    assert (first.layout.contributors, second.layout.contributors) == (2, 3)
    assert context_of(whole, COHORT[-1]) == second
    assert context_of(make_facts(), COHORT[0]) == make_facts()
    other = replace(first, groups=(COHORT[:2], COHORT[2:3], COHORT[3:]))
    assert len({whole.digest(), first.digest(), second.digest(), other.digest()}) == 4


def test_equal_facts_have_equal_digests():
    assert make_facts().digest() == make_facts().digest()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("study", "x" * 64),
        ("study", digest_of("study").upper()),
        ("public_key_sha256", ""),
        ("model_sha256", digest_of("model") + "\n"),
        ("round", -1),
        ("attempt", 0),
        ("round", 1_000_001),
        ("kind", "Gradient"),
        ("kind", "a gradient"),
        ("cohort", ("B", "A", "C", "D", "E")),
        ("cohort", ("A", "A", "B", "C", "D")),
        ("cohort", ("", "B", "C", "D", "E")),
        ("cohort", ("A\n", "B", "C", "D", "E")),
        ("cohort", ("A" * 65, "B", "C", "D", "E")),
        ("cohort", ("A", "B")),
        ("instances", ()),
        ("instances", ("a" * 64,) * 4),
        ("instances", ("a" * 64,) * 6),
        ("instances", (*("a" * 64,) * 4, "")),
        ("length", 0),
        ("bound", 0),
        ("bound", 1 << 15),
    ],
)
def test_facts_that_contradict_each_other_are_refused(name, value):
    with pytest.raises(StudyError) as caught:
        replace(make_facts(), **{name: value})
    assert caught.value.whose
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("round", 0), ("round", 1_000_000), ("attempt", 1_000_000), ("length", 1), ("length", round_context.MAX_LENGTH), ("bound", 1),
        ("bound", FieldLayout(16, 5).max_value), ("cohort", ("A" * 64, "B", "C", "D", "E")),
    ],
    ids=range(8),
)  # fmt: skip
def test_the_last_value_of_a_range_is_in_it(name, value):
    assert getattr(replace(make_facts(), **{name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [("attempt", 1_000_001), ("length", round_context.MAX_LENGTH + 1), ("bound", -1)],
)
def test_the_first_value_after_a_range_is_not(name, value):
    with pytest.raises(StudyError):
        replace(make_facts(), **{name: value})


def test_what_can_be_summed_and_how_much_of_it_is_fixed():
    """The wire format's: another list or limit would let two versions disagree about a round."""
    words = ("update", "evaluation", "preparation", "survival-curve", "a" * 40)
    assert all(map(round_context.is_kind, words))
    no_words = ("", "Update", "1st", "a" * 41, "two words", "line\n", "-", None, ["update"])
    assert not any(map(round_context.is_kind, no_words))
    assert round_context.MAX_LENGTH == 1 << 30
    assert (round_context.MAX_NAME, round_context.MAX_COUNTER) == (64, 1_000_000)
