"""Another contribution by a hospital's own key, and what is none."""

import io

import pytest
from secagg_round import Party, fake_ciphertext, make_facts
from secagg_survivors import World
from secagg_whole import write_contribution

from securefl.secagg.frame import write_sum
from securefl.secagg.own_place import MOST_HEAD, head_bytes, manifest_limit, other_contribution

ME = Party("SVI")
FACTS = make_facts(length=9000)


def head_of(data):
    return data[: manifest_limit(FACTS)]


def contribution(seed="ciphertext", facts=FACTS, me=ME):
    return head_of(write_contribution(facts, me.name, fake_ciphertext(2, seed), me.sign))


OWN = contribution()


def found(head):
    return other_contribution(head, OWN, FACTS, ME.name, ME.verify)


def test_the_manifest_ends_within_the_limit_and_the_limit_within_the_frame():
    length = int.from_bytes(OWN[8:12], "big")
    assert 12 + length < manifest_limit(FACTS) < 12 + length + 5000
    assert len(OWN) == manifest_limit(FACTS)


def test_other_ciphertexts_in_the_same_round_are_another_contribution():
    assert found(contribution("another"))


@pytest.mark.parametrize("changes", [{"attempt": 2}, {"bound": 7}, {"kind": "evaluation"}])
def test_so_is_another_attempt_or_another_telling_of_the_round(changes):
    assert found(contribution("another", make_facts(length=9000, **changes)))


def test_so_is_one_to_a_round_that_survives_losses():
    world = World(("other", "STMW", "SVI"), 3, 1)
    data = world.frame("SVI")
    verify = world.verify_by("SVI")
    assert other_contribution(
        data[: manifest_limit(FACTS)], OWN, world.terms().facts, "SVI", verify
    )


def test_its_own_frame_is_none_whatever_chunks_follow():
    assert not found(OWN)
    length = 12 + int.from_bytes(OWN[8:12], "big")
    assert not found(OWN[:length] + bytes(len(OWN) - length))
    assert not found(OWN[:-1])


@pytest.mark.parametrize("changes", [{"round": 2}, {"study": "0" * 64}])
def test_one_of_another_round_or_study_is_none(changes):
    assert not found(contribution("another", make_facts(length=9000, **changes)))


def test_one_of_another_hospital_or_by_another_key_is_none():
    assert not found(contribution("another", me=Party("STMW")))
    assert not found(contribution("another", me=Party("SVI")))


def test_junk_and_cut_frames_are_none():
    other = contribution("another")
    length = 12 + int.from_bytes(other[8:12], "big")
    for junk in (
        b"",
        b"x",
        bytes(100),
        other[:8],
        other[:11],
        other[: length - 1],
        b"X" + other[1:],
    ):
        assert not found(junk)
    assert found(other[:length])


def test_another_kind_of_frame_by_the_same_key_is_none():
    spool = io.BytesIO()
    parts = dict.fromkeys(FACTS.cohort, "0" * 64)
    write_sum(FACTS, "SVI", iter([fake_ciphertext(2)]), spool, parts=parts, sign=ME.sign)
    assert spool.getvalue().startswith(OWN[:8])
    assert not found(head_of(spool.getvalue()))


def test_the_head_of_a_frame_ends_where_its_manifest_does():
    length = int.from_bytes(OWN[8:12], "big")
    assert length > 255  # more than one byte of it says something
    assert head_bytes(OWN[:12]) == head_bytes(OWN) == 12 + length
    assert OWN[12 + length - 1 : 12 + length] == b"}"


@pytest.mark.parametrize("start", [b"", OWN[:8], OWN[:11], b"X" + OWN[1:12], bytes(12)])
def test_what_is_no_frame_has_no_head(start):
    assert head_bytes(start) == 0


def test_a_head_of_ten_million_numbers_is_still_looked_for():
    assert manifest_limit(make_facts(length=10_000_000)) < MOST_HEAD
