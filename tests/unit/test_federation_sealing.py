"""The global model opens for the hospitals of the study, under this round, and for nobody else."""

import pytest
from conftest import fixed_identity

from securefl.errors import MessageError
from securefl.federation.sealing import open_model, seal_model, sealed_limit

A, B, OUTSIDER = (fixed_identity(n, "hospital") for n in ("A", "B", "Outsider"))
CONTEXT = b"study/1/1"
MODEL = bytes(range(256)) * 8


@pytest.fixture(scope="module")
def sealed():
    return seal_model(MODEL, [A.card, B.card], CONTEXT)


def test_each_reader_opens_it(sealed):
    assert open_model(sealed, A, CONTEXT) == open_model(sealed, B, CONTEXT) == MODEL


def test_the_limit_holds_for_long_names():
    many = [fixed_identity("N" * 38 + f"{i:02}", "hospital") for i in range(12)]
    assert len(seal_model(MODEL, [m.card for m in many], CONTEXT)) <= sealed_limit(
        len(MODEL) // 8, len(many)
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d[:-1],
        lambda d: d[:3],
        lambda d: b"",
        lambda d: d[:-1] + bytes([d[-1] ^ 1]),
        lambda d: b"\xff\xff\xff\xff" + d[4:],
        lambda d: b"\x00\x00\x00\x02[]" + d[4:],
        lambda d: b"\x00\x00\x00\x04null" + d[4:],
        lambda d: (200_000).to_bytes(4, "big") + b"[" * 200_000,
        lambda d: d.replace(b'"A"', b'"C"'),
    ],
    ids=[
        "truncated",
        "no head",
        "empty",
        "altered",
        "head too long",
        "a list",
        "null",
        "deeply nested",
        "name changed",
    ],
)
def test_what_was_altered_does_not_open(sealed, spoil):
    with pytest.raises(MessageError):
        open_model(spoil(sealed), A, CONTEXT)


def test_an_outsider_cannot_open_it(sealed):
    with pytest.raises(MessageError, match="not sealed to this hospital"):
        open_model(sealed, OUTSIDER, CONTEXT)


def test_it_does_not_open_in_another_round(sealed):
    with pytest.raises(MessageError):
        open_model(sealed, A, b"study/2/1")


def test_keys_wrapped_for_one_do_not_open_for_another(sealed):
    swapped = sealed.replace(b'"A"', b'"X"').replace(b'"B"', b'"A"').replace(b'"X"', b'"B"')
    with pytest.raises(MessageError):
        open_model(swapped, A, CONTEXT)
