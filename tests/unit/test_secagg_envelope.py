import io
from hashlib import sha256

import pytest
import rfc8785
from secagg_round import Party

from securefl.errors import MessageError
from securefl.secagg.envelope import MAGIC, PREFIX_BYTES, Envelope, Hashed
from securefl.signed import dump_signed

SENDER = Party("SVI")
ENVELOPE = Envelope("securefl-test/1", {"round": 1, "study": "s"}, ((2, 5),))
CHUNKS = [b"first", b"other"]
GOOD = ENVELOPE.write(CHUNKS, SENDER.sign)


def frame_of(manifest, body=b"firstother"):
    return MAGIC + len(manifest).to_bytes(4, "big") + manifest + body


def signed_text(text):
    """A manifest with a good signature over any text at all: what a rostered but hostile party can
    make.
    """
    return b"securefl-signed/1 " + SENDER.sign(text).hex().encode() + b"\n" + text


def fields_of(**changes):
    manifest, _ = ENVELOPE.open(GOOD, "SVI", SENDER.verify)
    return {"type": "securefl-test/1", **manifest, **changes}


def refused(data):
    with pytest.raises(MessageError) as caught:
        ENVELOPE.open(data, "SVI", SENDER.verify)
    assert caught.value.whose == "SVI"
    assert caught.value.next_step
    return caught.value.what


def test_a_good_frame_opens():
    manifest, body = ENVELOPE.open(GOOD, "SVI", SENDER.verify)
    assert manifest["round"] == 1
    assert bytes(body) == b"firstother"
    assert len(GOOD) <= ENVELOPE.limit


def test_length_comes_before_everything():
    assert "more than this round allows" in refused(bytes(ENVELOPE.limit + 1))


@pytest.mark.parametrize("data", [b"", MAGIC[:4], b"SFLFRM2\n" + GOOD[8:], bytes(100)])
def test_magic_comes_before_the_signature(data):
    assert "no frame" in refused(data)


@pytest.mark.parametrize("length", [0, 1, 0xFFFFFFFF])
def test_a_wrong_manifest_length_is_refused(length):
    assert "add up" in refused(MAGIC + length.to_bytes(4, "big") + GOOD[PREFIX_BYTES:])


def test_a_manifest_longer_than_the_facts_allow_is_refused_though_lengths_add_up():
    wide = Envelope("securefl-test/1", {}, ((2, 5),))
    manifest = bytes(wide.manifest_limit + 1)
    assert "more than this round allows" in refused(frame_of(manifest))
    assert "add up" in refused(frame_of(manifest, b"")[: wide.limit])


@pytest.mark.parametrize("tail", [b"\x00", b"firstother"])
def test_trailing_bytes_are_refused(tail):
    assert "add up" in refused(GOOD + tail)


def test_every_truncation_is_refused():
    for size in range(len(GOOD)):
        refused(GOOD[:size])


def test_every_flipped_bit_is_refused():
    for index in range(len(GOOD)):
        for bit in range(8):
            refused(GOOD[:index] + bytes([GOOD[index] ^ (1 << bit)]) + GOOD[index + 1 :])


def test_swapped_chunks_are_refused():
    assert "chunk 0" in refused(GOOD[:-10] + b"otherfirst")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"not json",
        b"\xff\xfe",
        b"[" * 1000,
        b'{"round":' + b"9" * 1500 + b"}",
        b'{"a":"\\ud800"}',
        b'{"round":NaN}',
        b'{"round":1e400}',
        b'{"round":1}',
    ],
)
def test_a_signed_manifest_that_is_no_manifest_is_refused(text):
    refused(frame_of(signed_text(text)))


def test_a_manifest_in_another_order_or_with_spaces_is_refused():
    text = rfc8785.dumps(fields_of())
    assert "canonical" in refused(frame_of(signed_text(text.replace(b":", b": ", 1))))
    assert "canonical" in refused(
        frame_of(
            signed_text(
                b'{"type":"securefl-test/1",' + text[1:].replace(b',"type":"securefl-test/1"', b"")
            )
        )
    )


def test_a_duplicated_key_is_refused():
    text = rfc8785.dumps(fields_of())
    assert "canonical" in refused(
        frame_of(signed_text(text.replace(b'"round":1', b'"round":1,"round":1')))
    )


@pytest.mark.parametrize("value", [True, "1", 2, None, [1]])
def test_a_field_of_another_type_is_refused(value):
    assert "round is not this round's" in refused(
        frame_of(dump_signed(fields_of(round=value), SENDER.sign))
    )


@pytest.mark.parametrize("changes", [{"round": 1.5}, {"more": 1}, {"type": "securefl-other/1"}])
def test_an_unknown_field_or_type_and_a_float_are_refused(changes):
    refused(frame_of(dump_signed(fields_of(**changes), SENDER.sign)))


def test_a_missing_field_is_refused():
    fields = fields_of()
    del fields["study"]
    refused(frame_of(dump_signed(fields, SENDER.sign)))


@pytest.mark.parametrize("chunks", [None, {}, "x", [], [1, 2], ["0" * 64] * 3, ["0" * 64] * 2])
def test_a_list_of_hashes_that_is_not_the_chunks_is_refused(chunks):
    refused(frame_of(dump_signed(fields_of(chunks=chunks), SENDER.sign)))


def test_a_manifest_as_long_as_its_limit_is_read_and_one_byte_more_is_not():
    envelope = Envelope(
        "securefl-test/1", {"round": 1}, ((2, 5),), more=frozenset({"pad"}), more_bytes=100
    )
    room = envelope.manifest_limit - (
        len(envelope.write(CHUNKS, SENDER.sign, pad="")) - PREFIX_BYTES - 10
    )
    full = envelope.write(CHUNKS, SENDER.sign, pad="x" * room)
    assert len(full) == envelope.limit
    assert envelope.open(full, "SVI", SENDER.verify)[0]["pad"] == "x" * room
    assert envelope.open_head(io.BytesIO(full), "SVI", SENDER.verify).manifest["pad"] == "x" * room
    for read in (envelope.open, lambda data, *who: envelope.open_head(io.BytesIO(data), *who)):
        with pytest.raises(MessageError, match="than this round allows"):
            read(envelope.write(CHUNKS, SENDER.sign, pad="x" * (room + 1)), "SVI", SENDER.verify)


LED = Envelope("securefl-test/1", {"round": 1}, ((2, 5),), lead_bytes=3)
LED_CHUNKS = [b"led", *CHUNKS]


def test_a_frame_with_a_leading_chunk_of_another_size_opens_whole_and_by_its_head():
    data = LED.write(LED_CHUNKS, SENDER.sign)
    assert bytes(LED.open(data, "SVI", SENDER.verify)[1]) == b"ledfirstother"
    head = LED.open_head(io.BytesIO(data), "SVI", SENDER.verify)
    assert (head.lead, head.frame_bytes) == (b"led", len(data))
    assert list(LED.blocks(io.BytesIO(b"firstother"), head, "SVI", [(1, 5), (1, 5)])) == CHUNKS


def read_led(data):
    file = io.BytesIO(data)
    return list(LED.blocks(file, LED.open_head(file, "SVI", SENDER.verify), "SVI", [(2, 5)]))


@pytest.mark.parametrize(("at", "chunk"), [(-13, 0), (-11, 0), (-10, 0), (-6, 0), (-5, 1), (-1, 1)])
def test_a_byte_altered_in_any_chunk_is_refused_the_leading_one_in_the_head(at, chunk):
    data = bytearray(LED.write(LED_CHUNKS, SENDER.sign))
    data[at] ^= 1
    with pytest.raises(MessageError, match="does not have the hash"):
        LED.open(bytes(data), "SVI", SENDER.verify)
    with pytest.raises(MessageError, match=f"chunk {chunk} does not have the hash"):
        read_led(data)
    if at < -10:
        with pytest.raises(MessageError, match="chunk 0 does not have the hash"):
            LED.open_head(io.BytesIO(data), "SVI", SENDER.verify)


RUNS = Envelope("securefl-test/1", {"round": 1}, ((2, 5), (1, 3)), lead_bytes=3)


def test_runs_of_chunks_of_several_sizes_open_whole_and_piece_by_piece():
    chunks = [b"led", *CHUNKS, b"end"]
    data = RUNS.write(chunks, SENDER.sign)
    assert bytes(RUNS.open(data, "SVI", SENDER.verify)[1]) == b"".join(chunks)
    file = io.BytesIO(data)
    head = RUNS.open_head(file, "SVI", SENDER.verify)
    assert (RUNS.run_bytes, head.frame_bytes) == (13, len(data))
    assert list(RUNS.blocks(file, head, "SVI", [(2, 5), (1, 3)])) == [b"firstother", b"end"]
    for cut in (1, 3, 4):
        with pytest.raises(MessageError, match=r"add up|too early"):
            RUNS.open(data[:-cut], "SVI", SENDER.verify)


def test_the_hash_of_what_was_read_is_kept_piece_by_piece():
    file = Hashed(io.BytesIO(b"firstother"))
    assert [file.read(5), file.read(1), file.read(100), file.read(1)] == [
        b"first",
        b"o",
        b"ther",
        b"",
    ]
    assert file.sha256 == sha256(b"firstother").hexdigest()
