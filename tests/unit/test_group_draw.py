"""Groups drawn from nonces that everybody committed to, and why the commitments are needed."""

import hashlib
import hmac
from itertools import count

import pytest

from securefl.errors import RoundError, UsageError
from securefl.secagg.group_draw import Lot, commitment, groups_that_fit

SITES = tuple(f"H{n:02}" for n in range(15))
STUDY = "d" * 64


def nonces_of(seed, sites=SITES):
    return {site: hashlib.sha256(f"{seed} {site}".encode()).digest() for site in sites}


def committed(nonces, study=STUDY):
    return {site: commitment(study, site, nonce) for site, nonce in nonces.items()}


def drawn(nonces, study=STUDY):
    return Lot.open(study, committed(nonces, study), nonces).groups(5)


def test_groups_are_disjoint_hold_everybody_and_are_large_enough():
    groups = drawn(nonces_of(1))
    assert sorted(site for group in groups for site in group) == list(SITES)
    assert [len(group) for group in groups] == [5, 5, 5]
    more = (*SITES, "H15", "H16")
    assert sorted(map(len, drawn(nonces_of(1, more)))) == [5, 6, 6]


def test_everybody_draws_the_same_in_whatever_order_nonces_came():
    nonces = nonces_of(1)
    turned = dict(reversed(nonces.items()))
    assert drawn(turned) == drawn(nonces)


def test_another_study_or_single_nonce_makes_other_groups():
    nonces = nonces_of(1)
    first = drawn(nonces)
    assert drawn(nonces, "e" * 64) != first
    assert drawn(nonces | {"H03": b"x" * 32}) != first


def framed(*parts):
    """Each part behind its length in eight bytes, the highest first."""
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def test_the_groups_are_those_of_the_stated_hashes_on_every_machine():
    nonces = nonces_of(1)
    parts = [part for site in SITES for part in (site.encode(), nonces[site])]
    facts = (b"securefl group lot v3", STUDY.encode(), (5).to_bytes(8, "big"))
    lot = hashlib.sha256(framed(*facts, *parts)).digest()
    order = sorted(SITES, key=lambda site: hmac.digest(lot, site.encode(), "sha256"))
    expected = sorted(tuple(sorted(order[place::3])) for place in range(3))
    assert drawn(nonces) == tuple(expected)
    # As another version of this software must draw them, too.
    assert drawn(nonces)[0] == ("H00", "H01", "H09", "H13", "H14")


def test_a_commitment_is_the_stated_hash_of_a_nonce_of_32_bytes():
    expected = framed(b"securefl group nonce v2", STUDY.encode(), b"H01", b"n" * 32)
    assert commitment(STUDY, "H01", b"n" * 32) == hashlib.sha256(expected).digest()
    for wrong in (31, 33):
        with pytest.raises(ValueError, match="32 bytes"):
            commitment(STUDY, "H01", b"n" * wrong)


def test_all_who_show_no_nonce_are_named_in_order():
    nonces = nonces_of(1)
    silent = ("H12", "H03", "H07", "H05")
    shown = {site: nonce for site, nonce in nonces.items() if site not in silent}
    with pytest.raises(RoundError, match=r"^H03, H05, H07, H12 did not show"):
        Lot.open(STUDY, committed(nonces), shown)


def test_a_pair_of_hospitals_meets_as_often_as_chance_says():
    met = 0
    for seed in range(400):
        (group,) = [group for group in drawn(nonces_of(seed)) if "H00" in group]
        met += "H01" in group
    # 4 of 14 places beside it
    assert abs(met / 400 - 4 / 14) < 0.09


@pytest.mark.parametrize(
    "wrong",
    [{"H02": b"y" * 32}, {"H02": b"short"}, {"stranger": b"z" * 32}],
    ids=["other", "short", "stranger"],
)
def test_a_nonce_that_was_not_committed_to_is_refused(wrong):
    nonces = nonces_of(1)
    with pytest.raises(RoundError, match="another nonce than the one that it committed to"):
        Lot.open(STUDY, committed(nonces), nonces | wrong)


def test_a_commitment_is_of_one_hospital_and_one_study():
    nonce = b"n" * 32
    assert commitment(STUDY, "H00", nonce) != commitment(STUDY, "H01", nonce)
    assert commitment(STUDY, "H00", nonce) != commitment("e" * 64, "H00", nonce)


def test_control_without_commitments_the_last_one_chooses_its_group():
    """It tries nonces until it meets whom it wants; bound by a commitment it has one nonce."""
    nonces = nonces_of(1)
    wanted = {"H03", "H04"}
    for attempt in count():
        nonces["H00"] = attempt.to_bytes(32)
        (group,) = [group for group in drawn(nonces) if "H00" in group]
        if wanted <= set(group):
            break
    assert attempt < 400
    first = committed(nonces_of(1))
    with pytest.raises(RoundError):
        Lot.open(STUDY, first, nonces)


def test_while_a_nonce_is_withheld_no_lot_is_drawn_and_its_hospital_is_named():
    nonces = nonces_of(1)
    shown = {site: nonce for site, nonce in nonces.items() if site != "H00"}
    with pytest.raises(RoundError, match="did not show the nonce") as refused:
        Lot.open(STUDY, committed(nonces), shown)
    assert refused.value.whose == "H00"


@pytest.mark.parametrize("hospitals", [2, 5, 14])
def test_with_too_few_hospitals_it_is_refused_and_says_why(hospitals):
    with pytest.raises(UsageError, match="one hospital that poisons decides") as refused:
        groups_that_fit(hospitals, 5)
    assert "It takes 15 hospitals" in refused.value.next_step
