import threading
from dataclasses import replace

import pytest
from conftest import fixed_identity

from securefl.errors import MessageError, UnreadableError, UntrustedError
from securefl.files import erase_file, read_secret, replace_file, write_secret
from securefl.identity import MAX_CARD_BYTES, MAX_EARLIER, Identity, read_card, verify
from securefl.signed import dump_signed

SVI, SVHC = fixed_identity("SVI", "hospital"), fixed_identity("SVHC", "hospital")


def mode(path):
    return path.stat().st_mode & 0o777


def card_with(identity=SVI, **changes):
    return dump_signed(
        {"type": "securefl-card/1", **identity.card.fields(), **changes}, identity.sign
    )


# keys


def test_keys_are_written_for_their_owner_only_and_come_back(tmp_path):
    identity = Identity.generate("SVI", "hospital", "St Vincent", "a@example.org")
    identity.save(tmp_path / "keys")
    assert mode(tmp_path / "keys") == 0o700
    assert [mode(tmp_path / "keys" / f) for f in ("signing.key", "sealing.key")] == [0o600, 0o600]
    again = Identity.load(tmp_path / "keys")
    assert again.card == identity.card
    assert identity.card.verify(again.sign(b"m"), b"m")
    assert again.unseal(identity.card.seal(b"p", b"i"), b"i") == b"p"


def test_two_identities_never_share_keys():
    cards = [Identity.generate("SVI", "hospital", "x", "x").card for _ in range(3)]
    assert len({c.signing_public for c in cards} | {c.sealing_public for c in cards}) == 6


def test_keys_are_never_overwritten(tmp_path):
    SVI.save(tmp_path)
    before = (tmp_path / "signing.key").read_bytes()
    with pytest.raises(UnreadableError, match="never overwritten"):
        SVHC.save(tmp_path)
    assert (tmp_path / "signing.key").read_bytes() == before


@pytest.mark.parametrize("bits", [0o604, 0o640, 0o660, 0o601, 0o777])
def test_a_key_that_others_can_read_is_refused_with_the_command_that_mends_it(tmp_path, bits):
    SVI.save(tmp_path)
    (tmp_path / "sealing.key").chmod(bits)
    with pytest.raises(UnreadableError, match="readable by others") as caught:
        Identity.load(tmp_path)
    assert caught.value.next_step.startswith("chmod 600 ")


@pytest.mark.parametrize("name", ["signing.key", "sealing.key", "card.json"])
def test_a_missing_file_is_a_clear_refusal(tmp_path, name):
    SVI.save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UnreadableError, match=name):
        Identity.load(tmp_path)


@pytest.mark.parametrize("data", [b"", b"x" * 31, b"x" * 33])
def test_a_key_of_another_size_is_refused(tmp_path, data):
    write_secret(tmp_path / "k", data)
    with pytest.raises(UnreadableError, match="32 bytes"):
        read_secret(tmp_path / "k", 32)


def test_a_card_of_other_keys_beside_the_keys_is_refused(tmp_path):
    SVI.save(tmp_path)
    (tmp_path / "card.json").write_bytes(SVHC.signed_card())
    with pytest.raises(UnreadableError, match="does not belong to the keys"):
        Identity.load(tmp_path)


def test_an_altered_own_card_is_refused_as_a_damaged_file_not_as_a_message(tmp_path):
    SVI.save(tmp_path)
    (tmp_path / "card.json").write_bytes(SVI.signed_card().replace(b"(test)", b"(pest)"))
    with pytest.raises(UnreadableError, match="was changed"):
        Identity.load(tmp_path)


# signatures and fingerprints


def test_a_signature_holds_for_its_message_and_key_only():
    signature = SVI.sign(b"message")
    assert len(signature) == 64
    assert SVI.card.verify(signature, b"message")
    assert not SVI.card.verify(signature, b"massage")
    assert not SVHC.card.verify(signature, b"message")
    assert not SVI.card.verify(signature[:-1], b"message")


@pytest.mark.parametrize("key", ["", "zz", "00", "0" * 62, "f" * 66])
def test_what_is_no_key_verifies_nothing(key):
    assert verify(key, SVI.sign(b"m"), b"m") is False


def test_a_fingerprint_covers_role_name_and_both_keys_but_not_the_address():
    card = SVI.card
    changed = [
        replace(card, role="researcher"),
        replace(card, name="SVJ"),
        replace(card, signing_public=SVHC.card.signing_public),
        replace(card, sealing_public=SVHC.card.sealing_public),
    ]
    assert len({c.fingerprint for c in (card, *changed)}) == 5
    assert replace(card, email="new@example.org").fingerprint == card.fingerprint


def test_a_fingerprint_is_spoken_as_ten_groups_of_its_first_160_bits():
    groups = SVI.card.spoken.split()
    assert [len(g) for g in groups] == [4] * 10
    assert SVI.card.fingerprint.startswith("".join(groups))


# sealing


def test_a_sealed_payload_opens_for_its_reader_under_its_info():
    sealed = SVI.card.seal(b"model", b"round 1")
    assert b"model" not in sealed
    assert SVI.unseal(sealed, b"round 1") == b"model"
    assert sealed != SVI.card.seal(b"model", b"round 1")


@pytest.mark.parametrize(
    ("reader", "info", "change"),
    [
        (SVI, b"round 2", lambda s: s),
        (SVHC, b"round 1", lambda s: s),
        (SVI, b"round 1", lambda s: s[:-1] + bytes([s[-1] ^ 1])),
        (SVI, b"round 1", lambda s: bytes([s[0] ^ 1]) + s[1:]),
        (SVI, b"round 1", lambda s: s[:20]),
        (SVI, b"round 1", lambda s: b""),
    ],
)
def test_a_sealed_payload_opens_for_nobody_else_under_no_other_info_and_not_when_altered(
    reader, info, change
):
    sealed = change(SVI.card.seal(b"model", b"round 1"))
    with pytest.raises(MessageError, match="does not open"):
        reader.unseal(sealed, info)


@pytest.mark.parametrize("point", ["00" * 32, "01" + "00" * 31, "zz" * 32, "00"])
def test_nothing_is_sealed_to_a_key_that_gives_no_secret(point):
    with pytest.raises(UntrustedError, match="not a usable key"):
        replace(SVI.card, sealing_public=point).seal(b"model", b"i")


# cards


def test_a_card_comes_back_as_it_was():
    assert read_card(SVI.signed_card()) == SVI.card


@pytest.mark.parametrize(
    "field", ["name", "legal_name", "email", "signing_public", "sealing_public", "role"]
)
def test_a_card_altered_on_its_way_is_refused(field):
    old = SVI.card.fields()[field].encode()
    data = SVI.signed_card()
    assert old in data
    with pytest.raises(MessageError):
        read_card(
            data.replace(
                old, SVHC.card.fields()[field].encode() if field != "role" else b"researcher"
            )
        )


def test_a_card_signed_by_another_key_is_refused():
    data = dump_signed({"type": "securefl-card/1", **SVI.card.fields()}, SVHC.sign)
    with pytest.raises(MessageError, match="not signed by its own key"):
        read_card(data)


def test_an_oversized_card_is_refused():
    with pytest.raises(MessageError, match=f"at most {MAX_CARD_BYTES}"):
        read_card(SVI.signed_card() + b" " * MAX_CARD_BYTES)


@pytest.mark.parametrize(
    "changes",
    [
        {"role": "operator"},
        {"name": "../keys"},
        {"name": "-x"},
        {"name": "a" * 41},
        {"name": ""},
        {"name": 7},
        {"legal_name": ""},
        {"legal_name": "a\nb"},
        {"legal_name": "x" * 401},
        {"legal_name": None},
        {"legal_name": "St\u202e tnecniV"},
        {"email": "a\x9b2Jb"},
        {"email": "a\u2028b"},
        {"sealing_public": "A" * 64},
        {"sealing_public": "0" * 63},
        {"signing_public": "g" * 64},
    ],
)
def test_a_card_says_only_what_a_card_may_say(changes):
    with pytest.raises(MessageError, match="not an identity card"):
        read_card(card_with(**changes))


def test_a_card_with_an_unknown_field_is_refused():
    with pytest.raises(MessageError, match="unknown or missing fields"):
        read_card(card_with(trusted=True))


# successors


LATER = "2026-11-24T12:00:00Z"


def signed_by(identity, **changes):
    """The identity's card with fields changed, rightly signed by its own key."""
    earlier = [dict(e.__dict__) for e in identity.card.earlier]
    return dump_signed(
        {"type": "securefl-card/2", **identity.card.fields(), "earlier": earlier, **changes},
        identity.sign,
    )


def test_a_successor_has_fresh_keys_and_the_old_keys_word(tmp_path):
    new = SVHC.successor(LATER)
    assert not {new.card.signing_public, new.card.sealing_public} & {
        SVHC.card.signing_public,
        SVHC.card.sealing_public,
    }
    assert (new.card.name, new.card.role, new.card.legal_name, new.card.email) == (
        SVHC.card.name,
        "hospital",
        SVHC.card.legal_name,
        SVHC.card.email,
    )
    card = read_card(new.signed_card())
    assert [(e.signing_public, e.until) for e in card.earlier] == [
        (SVHC.card.signing_public, LATER)
    ]
    new.save(tmp_path / "keys")
    assert Identity.load(tmp_path / "keys").card.earlier == new.card.earlier


def test_what_an_earlier_key_signed_still_holds_and_a_strangers_word_does_not():
    old, message = SVHC.sign(b"m"), b"m"
    card = SVHC.successor(LATER).successor(LATER).card
    assert not card.verify(old, message)
    assert card.verify_ever(old, message)
    assert not card.verify_ever(SVI.sign(message), message)


def test_a_card_keeps_the_newest_of_many_earlier_keys_and_fits_its_cap():
    one = fixed_identity("S" * 40, "researcher")
    identity = Identity(
        replace(one.card, legal_name="\U0001f3e5" * 400, email="\U0001f3e5" * 400),
        one._signing,
        one._sealing,
    )
    keys = []
    for _ in range(MAX_EARLIER + 2):
        keys.append(identity.card.signing_public)
        identity = identity.successor(LATER)
    card = read_card(identity.signed_card())
    assert [e.signing_public for e in card.earlier] == keys[-MAX_EARLIER:]
    assert len(identity.signed_card()) <= MAX_CARD_BYTES


NEW = SVHC.successor(LATER)
WORD = NEW.card.earlier[0].__dict__
TWICE = NEW.successor(LATER)
WORDS = [dict(e.__dict__) for e in TWICE.card.earlier]


@pytest.mark.parametrize(
    ("identity", "earlier"),
    [
        (NEW, [{**WORD, "until": "2026-11-25T12:00:00Z"}]),
        (NEW, [{**WORD, "signing_public": SVI.card.signing_public}]),
        (NEW, [{**WORD, "signature": "00" * 64}]),
        (TWICE, WORDS[:1]),
        (TWICE, WORDS[::-1]),
        (TWICE, [WORDS[0], WORDS[0], WORDS[1]]),
        (SVI, [WORD]),
    ],
    ids=["time", "key", "signature", "gap", "order", "twice", "of another party"],
)
def test_a_card_whose_earlier_key_did_not_name_the_next_is_refused(identity, earlier):
    with pytest.raises(MessageError, match="did not sign for the next one"):
        read_card(signed_by(identity, earlier=earlier))


@pytest.mark.parametrize(
    "earlier",
    [
        [],
        {},
        "x",
        [WORD] * (MAX_EARLIER + 1),
        [1],
        [{}],
        [{**WORD, "more": ""}],
        [{**WORD, "until": 1}],
        [{**WORD, "until": "yesterday"}],
        [{**WORD, "signature": "zz" * 64}],
        [{**WORD, "signing_public": "00"}],
    ],
)
def test_what_is_no_list_of_earlier_keys_is_no_card(earlier):
    with pytest.raises(MessageError, match="not an identity card"):
        read_card(signed_by(NEW, earlier=earlier))


def test_a_plain_card_has_no_earlier_keys_and_a_successor_must():
    with pytest.raises(MessageError, match="unknown or missing fields"):
        read_card(card_with(earlier=[WORD]))
    with pytest.raises(MessageError, match="unknown or missing fields"):
        read_card(dump_signed({"type": "securefl-card/2", **SVI.card.fields()}, SVI.sign))


# files


def test_a_replaced_file_is_private_whole_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "deep" / "f"
    replace_file(path, b"one")
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert mode(path) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["f"]


def test_a_failed_replacement_leaves_nothing_behind(tmp_path):
    (tmp_path / "f" / "inside").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        replace_file(tmp_path / "f", b"data")
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_two_threads_that_replace_one_file_never_mix_their_bytes(tmp_path):
    path = tmp_path / "f"
    texts = [bytes([c]) * 200_000 for c in b"ab"]

    def write(data):
        for _ in range(20):
            replace_file(path, data)

    threads = [threading.Thread(target=write, args=(t,)) for t in texts]
    for t in threads:
        t.start()
    seen = {path.read_bytes() for _ in range(200) if path.exists()}
    for t in threads:
        t.join()
    assert seen | {path.read_bytes()} <= set(texts)


def test_an_erased_file_is_gone_and_its_bytes_were_overwritten_first(tmp_path):
    path, other = tmp_path / "key", tmp_path / "other name"
    write_secret(path, b"k" * 32)
    other.hardlink_to(path)
    erase_file(path)
    erase_file(path)
    assert not path.exists()
    assert other.read_bytes() == bytes(32)
