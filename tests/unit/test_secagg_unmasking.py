from types import SimpleNamespace

import numpy as np
import pytest
from secagg_round import NAMES, digest_of
from secagg_survivors import World, run_round

from securefl.errors import MessageError, RoundError
from securefl.secagg import shamir, unmasking
from securefl.secagg.masks import Seeds
from securefl.secagg.survivors import Survivors

WORLD = World(NAMES, 4, 1)
LEFT = tuple(name for name in NAMES if name != "STMW")


@pytest.fixture(scope="module")
def a_round():
    """STMW never sent; four answered."""
    return run_round(WORLD, LEFT)


def dealings_of(a_round):
    proposer, frames, _ = a_round
    return proposer.survivors, {
        name: WORLD.check(data, name).dealing for name, data in frames.items()
    }


def answer_of(a_round, name="SVI"):
    return a_round[2][name].disk[-1].message


def read(a_round, data, name="SVI"):
    survivors, dealings = dealings_of(a_round)
    return unmasking.read_answer(data, survivors, name, dealings, WORLD.verify_by(name))


def test_what_comes_off_is_self_masks_of_survivors_and_masks_with_the_lost(a_round):
    unmasked = a_round[0].unmasking()
    pairs = {seed: plus for plus, seed in unmasked.seeds.pairs}
    assert pairs == {WORLD.pair_seeds(name)["STMW"]: name < "STMW" for name in LEFT}
    assert len(unmasked.seeds.own) == 4
    assert np.array_equal(WORLD.opened(unmasked, a_round[1]), WORLD.truth(LEFT))


def test_an_answer_holds_one_kind_for_each_hospital(a_round):
    """No share of the lost hospital's self-mask seed, none of a pair seed between two survivors."""
    got = read(a_round, answer_of(a_round))
    assert set(got.shares) == set(LEFT)
    assert {rows.shape for rows in got.shares.values()} == {(2, shamir.LIMBS)}
    survivors, dealings = dealings_of(a_round)
    for dealer, rows in got.shares.items():
        packet = dealings[dealer].open_packet("SVI", WORLD.identities["SVI"].unseal)
        given = {0, dealings[dealer].seed_index("STMW")}
        assert [
            np.array_equal(packet[i], row) for i, row in zip(sorted(given), rows, strict=True)
        ] == [True, True]
    assert len(answer_of(a_round)) <= unmasking.answer_limit(survivors, "SVI")


def test_every_threshold_of_answers_restores_the_same_seeds():
    everybody = run_round(WORLD, NAMES)
    survivors, dealings = dealings_of(everybody)
    answers = {name: read(everybody, answer_of(everybody, name), name) for name in NAMES}
    found = {
        unmasking.unmask(
            survivors, {n: a for n, a in answers.items() if n != left_out}, dealings
        ).seeds
        for left_out in NAMES
    }
    assert found == {everybody[0].unmasking().seeds}


def test_too_few_answers_name_who_is_silent(a_round):
    survivors, dealings = dealings_of(a_round)
    answers = {name: read(a_round, answer_of(a_round, name), name) for name in LEFT[:3]}
    assert unmasking.missing_shares(survivors, answers.values()) == dict.fromkeys(sorted(LEFT), 1)
    with pytest.raises(RoundError) as caught:
        unmasking.unmask(survivors, answers, dealings)
    assert caught.value.whose == LEFT[3]


def signed(a_round, name="SVI", shares=None, without=(), readable=None):
    """An answer that says what we like, signed by its hospital."""
    survivors, _ = dealings_of(a_round)
    body = answer_of(a_round, name)[-4 * 72 :] if shares is None else shares
    envelope = unmasking._envelope(
        survivors, name, survivors.names if readable is None else readable
    )
    return envelope.write([body], WORLD.identities[name].sign, without=without)


def test_control_the_crafted_answer_with_the_true_shares_is_taken(a_round):
    assert set(read(a_round, signed(a_round, without=[])).shares) == set(LEFT)


@pytest.mark.parametrize("at", [0, 35, 36, 71, 72, 4 * 72 - 1])
def test_a_share_that_was_not_dealt_is_refused_in_the_holders_name(a_round, at):
    body = bytearray(answer_of(a_round)[-4 * 72 :])
    body[at] ^= 1
    with pytest.raises(MessageError, match="not the one that") as caught:
        read(a_round, signed(a_round, shares=bytes(body), without=[]))
    assert caught.value.whose == "SVI"


def test_numbers_above_the_prime_are_refused(a_round):
    with pytest.raises(MessageError, match="not the one that"):
        read(a_round, signed(a_round, shares=b"\xff" * (4 * 72), without=[]))


@pytest.mark.parametrize(
    "without", [None, [1], ["STMW"], ["SVI", "SVI"], ["SVI", "SVHC"], {}, "SVI"], ids=range(7)
)
def test_a_list_of_left_out_dealers_that_is_none_is_refused(a_round, without):
    with pytest.raises(MessageError) as caught:
        read(a_round, signed(a_round, without=without))
    assert caught.value.whose == "SVI"


def test_a_dealer_whose_packet_was_unreadable_is_left_out_and_the_rest_counts(a_round):
    survivors, dealings = dealings_of(a_round)

    def unseal(sealed, info):
        if b"SVHC" in info:
            raise MessageError("no")
        return WORLD.identities["SVI"].unseal(sealed, info)

    data = unmasking.write_answer(
        survivors, "SVI", dealings, unseal=unseal, sign=WORLD.identities["SVI"].sign
    )
    assert set(read(a_round, data).shares) == set(LEFT) - {"SVHC"}


def test_an_answer_of_one_that_did_not_survive_or_too_long_is_refused(a_round):
    for name, data in (("STMW", answer_of(a_round)), ("SVI", bytes(100_000))):
        with pytest.raises(MessageError) as caught:
            read(a_round, data, name)
        assert caught.value.whose == name


def test_a_dealer_whose_shares_give_another_seed_than_committed_is_named(monkeypatch):
    """Shares of one seed, a commitment to another: every holder's share fits, and the result does
    not.
    """
    from securefl.secagg import key_shares

    real = key_shares.split
    monkeypatch.setattr(
        key_shares, "split", lambda seeds, *rest: real([b"\x01" * 32, *seeds[1:]], *rest)
    )
    bad = WORLD.frame("SVHC")
    monkeypatch.undo()
    frames = {name: bad if name == "SVHC" else WORLD.frame(name) for name in LEFT}
    proposer = WORLD.proposer()
    for name, data in frames.items():
        proposer.add_contribution(WORLD.check(data, name))
    WORLD.propose(proposer)
    dealings = {name: WORLD.check(data, name).dealing for name, data in frames.items()}
    for name in LEFT:
        identity = WORLD.identities[name]
        data = unmasking.write_answer(
            proposer.survivors, name, dealings, unseal=identity.unseal, sign=identity.sign
        )
        proposer.add_answer(name, data)
    with pytest.raises(MessageError, match="do not give the seeds") as caught:
        proposer.unmasking()
    assert caught.value.whose == "SVHC"


def test_a_self_mask_and_a_pair_mask_of_one_seed_differ():
    one, two = Seeds((), (bytes(32),)).block(0, 2), Seeds(((True, bytes(32)),), ()).block(0, 2)
    assert not np.array_equal(one, two)
    assert not np.array_equal(one[0], one[1])
    assert np.array_equal(one[1], Seeds((), (bytes(32),)).block(1, 2)[0])


def test_a_lost_hospitals_own_answer_is_refused_though_its_shares_are_true():
    """It holds shares like everybody else; its word would count towards opening a set that it is
    not in.
    """
    everybody = run_round(WORLD, NAMES)
    dealings = dealings_of(everybody)[1]
    survivors = Survivors(
        WORLD.terms(), {name: WORLD.check(everybody[1][name], name).sha256 for name in LEFT}
    )
    lost = WORLD.identities["STMW"]
    data = unmasking.write_answer(survivors, "STMW", dealings, unseal=lost.unseal, sign=lost.sign)
    with pytest.raises(MessageError, match="no survivor") as caught:
        unmasking.read_answer(data, survivors, "STMW", dealings, lost.card.verify)
    assert caught.value.whose == "STMW"


def test_the_seeds_of_a_dealer_come_from_those_who_could_read_its_packet():
    everybody = run_round(WORLD, NAMES)
    survivors, dealings = dealings_of(everybody)
    answers = {name: read(everybody, answer_of(everybody, name), name) for name in NAMES}
    first = min(NAMES)
    without_one = {
        dealer: rows for dealer, rows in answers[first].shares.items() if dealer != "SVI"
    }
    some = {**answers, first: unmasking.Answer(first, without_one)}
    assert unmasking.missing_shares(survivors, some.values()) == {}
    assert unmasking.unmask(survivors, some, dealings).seeds == everybody[0].unmasking().seeds


def test_a_dealer_whose_shares_give_no_seed_at_all_is_named(a_round, monkeypatch):
    survivors, dealings = dealings_of(a_round)
    answers = {name: read(a_round, answer_of(a_round, name), name) for name in LEFT}
    monkeypatch.setattr(unmasking, "restore", lambda shares, holders: [None] * shares.shape[1])
    with pytest.raises(MessageError, match="do not give the seeds") as caught:
        unmasking.unmask(survivors, answers, dealings)
    assert caught.value.whose == min(LEFT)


def test_a_holder_answers_for_everybody_who_survived():
    names = [f"H{i:02}" for i in range(40)]
    world = World(names, 30, 1)
    survivors = Survivors(world.terms(), {name: digest_of(name) for name in names[:35]})
    assert unmasking.dealers_of("H07", survivors) == tuple(names[:35])


def test_an_answer_that_leaves_out_dealers_with_the_longest_names_is_within_its_limit():
    names = [f"{i:02}" + "\N{GRINNING FACE}" * 62 for i in range(20)]
    world = World(names, 12, 1)
    survivors = Survivors(world.terms(), {name: digest_of(name) for name in names})
    envelope = unmasking._envelope(survivors, names[0], ())
    data = envelope.write([b""], world.identities[names[0]].sign, without=sorted(names))
    assert len(data) <= unmasking.answer_limit(survivors, names[0])


def test_the_form_of_an_answer_is_checked_without_the_dealers_commitments(a_round):
    survivors, verify = a_round[0].survivors, WORLD.verify_by("SVI")
    data = bytes(answer_of(a_round))
    unmasking.check_answer_form(data, survivors, "SVI", verify)
    for junk in (data[:-1], data + b"x", b""):
        with pytest.raises(MessageError):
            unmasking.check_answer_form(junk, survivors, "SVI", verify)


def test_a_holder_has_shares_of_its_neighbours_alone():
    neighbours = SimpleNamespace(holders=lambda _: ("a", "c", "x"))
    survivors = SimpleNamespace(names=("a", "b", "c"), terms=SimpleNamespace(neighbours=neighbours))
    assert unmasking.dealers_of("a", survivors) == ("a", "c")
