import pytest
from secagg_round import NAMES, digest_of
from secagg_survivors import COORDINATOR, World

from securefl.errors import MessageError, RoundError
from securefl.secagg.survivors import (
    Survivors,
    agrees,
    count_agreements,
    proposal_limit,
    read_proposal,
    write_agreement,
    write_proposal,
)
from securefl.signed import dump_signed

WORLD = World(NAMES, 4, 1)
TERMS = WORLD.terms()
FRAMES = {name: digest_of(name) for name in NAMES}
COORD = WORLD.coordinator
SET = Survivors(TERMS, FRAMES)


def less(*names):
    return Survivors(TERMS, {name: FRAMES[name] for name in NAMES if name not in names})


def test_a_proposal_is_read_as_it_was_written():
    data = write_proposal(less("SVI"), COORDINATOR, COORD.sign)
    assert len(data) < proposal_limit(TERMS)
    got = read_proposal(data, TERMS, COORDINATOR, COORD.card.verify)
    assert (got.names, got.lost, got.sha256) == (less("SVI").names, {"SVI"}, less("SVI").sha256)
    assert got.lost_neighbours("STMW") == ("SVI",)


def test_fewer_than_min_contributors_or_a_stranger_are_no_survivor_set():
    with pytest.raises(RoundError) as caught:
        less("SVI", "STMW")
    assert caught.value.whose == "STMW, SVI"
    with pytest.raises(RoundError):
        Survivors(TERMS, {**FRAMES, "nobody": digest_of("x")})


def test_the_hash_covers_round_members_and_frames():
    others = [
        less("SVI"),
        Survivors(TERMS, {**FRAMES, "SVI": digest_of("another frame")}),
        Survivors(WORLD.terms(2), FRAMES),
    ]
    assert len({SET.sha256, *(s.sha256 for s in others)}) == 4


PART = {"sender": "SVI", "sha256": digest_of("SVI")}


@pytest.mark.parametrize(
    "parts",
    [
        None, {}, [1], [{}], [{**PART, "more": 1}], [{"sender": "SVI", "sha256": "00"}], [{**PART, "sender": 7}], [PART, PART],
        [{**PART, "sender": name} for name in sorted(NAMES, reverse=True)], [{**PART, "sender": "nobody"}],
        [PART, 1], [PART, {**PART, "sender": "other"} | {"sha256": "00"}], [{**PART, "sender": "STMW"}, PART, {**PART, "sender": "nobody"}],
    ],
    ids=range(13),
)  # fmt: skip
def test_lists_that_name_no_set_are_refused_though_signed(parts):
    data = dump_signed(
        {"type": "securefl-survivors/1", **TERMS.announced(COORDINATOR), "survivors": parts},
        COORD.sign,
    )
    with pytest.raises(MessageError) as caught:
        read_proposal(data, TERMS, COORDINATOR, COORD.card.verify)
    assert caught.value.whose == COORDINATOR


@pytest.mark.parametrize("field", ["study", "round", "attempt", "kind", "sender", "round_digest"])
def test_a_statement_that_differs_in_one_field_is_refused(field):
    said = {
        "type": "securefl-survivors/1",
        **TERMS.announced(COORDINATOR),
        "survivors": SET.parts(),
    }
    said[field] = True if field in ("round", "attempt") else "other"  # True == 1 in Python
    with pytest.raises(MessageError, match=field):
        read_proposal(dump_signed(said, COORD.sign), TERMS, COORDINATOR, COORD.card.verify)


def test_an_agreement_is_to_one_set_by_one_survivor():
    svi = WORLD.identities["SVI"]
    data = write_agreement(SET, "SVI", svi.sign)
    assert agrees(data, SET, "SVI", svi.card.verify)
    assert not agrees(data, less("STMW"), "SVI", svi.card.verify)
    for sender, verify in (("STMW", svi.card.verify), ("SVI", WORLD.cards["STMW"].verify)):
        with pytest.raises(MessageError) as caught:
            agrees(data, SET, sender, verify)
        assert caught.value.whose == sender
    with pytest.raises(MessageError):
        agrees(data, Survivors(WORLD.terms(2), FRAMES), "SVI", svi.card.verify)


def test_an_agreement_to_no_hash_is_refused():
    svi = WORLD.identities["SVI"]
    data = dump_signed(
        {"type": "securefl-survivors-agreed/1", **TERMS.announced("SVI"), "survivors_sha256": 7},
        svi.sign,
    )
    with pytest.raises(MessageError, match="no hash"):
        agrees(data, SET, "SVI", svi.card.verify)


def test_only_survivors_valid_signatures_under_the_set_are_counted():
    small = less("SVI")
    said = {name: write_agreement(small, name, WORLD.identities[name].sign) for name in NAMES}
    assert count_agreements(said, small, WORLD.verify) == 4  # SVI's is valid, but it is no survivor
    said["STMW"] = write_agreement(SET, "STMW", WORLD.identities["STMW"].sign)
    said["SVHC"] = write_agreement(small, "SVHC", WORLD.identities["SVHD"].sign)
    said["other"] = b"nonsense"
    assert count_agreements(said, small, WORLD.verify) == 1
    assert count_agreements({}, small, WORLD.verify) == 0


def test_a_proposal_of_the_longest_names_is_within_its_limit():
    names = [f"{i:02}" + "\N{GRINNING FACE}" * 62 for i in range(20)]
    world = World(names, 12, 1)
    survivors = Survivors(world.terms(), {name: digest_of(name) for name in names})
    assert (
        len(write_proposal(survivors, COORDINATOR, COORD.sign))
        <= proposal_limit(world.terms())
        < 20_000
    )
