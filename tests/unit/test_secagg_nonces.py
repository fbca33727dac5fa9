import pytest
from secagg_round import Party, digest_of

from securefl.errors import MessageError, RoundError, UsageError
from securefl.secagg import nonces
from securefl.signed import dump_signed

STUDY = digest_of("study")
NAMES = ("A", "B", "C")
PARTIES = {name: Party(name) for name in NAMES}
DRAWN = {name: bytes([i]) * 32 for i, name in enumerate(NAMES)}


def committed(name):
    party = PARTIES[name]
    return nonces.read_commitment(
        nonces.write_commitment(DRAWN[name], STUDY, name, party.sign), STUDY, name, party.verify
    )


def revealed(name, nonce=None, commitment=None):
    party = PARTIES[name]
    data = nonces.write_nonce(DRAWN[name] if nonce is None else nonce, STUDY, name, party.sign)
    return nonces.read_nonce(data, STUDY, name, commitment or committed(name), party.verify)


def test_a_nonce_is_what_was_committed_to():
    assert {name: revealed(name) for name in NAMES} == DRAWN
    with pytest.raises(MessageError, match="not the one") as caught:
        revealed("A", nonce=b"\x09" * 32)
    assert caught.value.whose == "A"


def test_a_commitment_is_good_for_one_hospital_and_study():
    """Otherwise a hospital could copy another's commitment, and then its nonce, and cancel its part
    in the draw.
    """
    assert nonces.commitment(bytes(32), STUDY, "A") != nonces.commitment(bytes(32), STUDY, "B")
    assert nonces.commitment(bytes(32), STUDY, "A") != nonces.commitment(
        bytes(32), digest_of("other"), "A"
    )


def test_every_nonce_moves_the_seed():
    seed = nonces.ring_seed(DRAWN, STUDY, NAMES)
    for name in NAMES:
        assert nonces.ring_seed({**DRAWN, name: b"\x07" * 32}, STUDY, NAMES) != seed
    assert nonces.ring_seed(DRAWN, digest_of("other"), NAMES) != seed


def test_a_withheld_nonce_ends_the_draw_in_its_hospitals_name():
    with pytest.raises(RoundError) as caught:
        nonces.ring_seed({"A": DRAWN["A"], "C": DRAWN["C"]}, STUDY, NAMES)
    assert caught.value.whose == "B"


@pytest.mark.parametrize(
    ("kind", "read", "field", "value"),
    [
        (nonces.COMMITMENT_TYPE, "commitment", "commitment", "00"),
        (nonces.COMMITMENT_TYPE, "commitment", "commitment", 5),
        (nonces.REVEAL_TYPE, "nonce", "nonce", "zz" * 32),
        (nonces.REVEAL_TYPE, "nonce", "nonce", None),
        (nonces.REVEAL_TYPE, "nonce", "nonce", "00" * 33),
    ],
)
def test_statements_that_hold_no_such_thing_are_refused_in_their_senders_name(
    kind, read, field, value
):
    party = PARTIES["A"]
    data = dump_signed({"type": kind, "study": STUDY, "sender": "A", field: value}, party.sign)
    more = () if read == "commitment" else (committed("A"),)
    with pytest.raises(MessageError) as caught:
        getattr(nonces, f"read_{read}")(data, STUDY, "A", *more, party.verify)
    assert caught.value.whose == "A"


@pytest.mark.parametrize(
    "changes", [{"study": digest_of("other")}, {"name": "B"}, {"verify": PARTIES["B"].verify}]
)
def test_statements_of_another_study_hospital_or_key_are_refused(changes):
    arguments = {"study": STUDY, "name": "A", "verify": PARTIES["A"].verify} | changes
    with pytest.raises(MessageError):
        nonces.read_commitment(
            nonces.write_commitment(DRAWN["A"], STUDY, "A", PARTIES["A"].sign), **arguments
        )


def test_a_nonce_has_32_bytes():
    with pytest.raises(UsageError):
        nonces.commitment(bytes(31), STUDY, "A")


def test_the_statements_are_of_the_types_of_the_wire_format():
    sign = PARTIES["A"].sign
    assert b'"type":"securefl-nonce-commitment/1"' in nonces.write_commitment(
        bytes(32), STUDY, "A", sign
    )
    assert b'"type":"securefl-nonce/1"' in nonces.write_nonce(bytes(32), STUDY, "A", sign)
