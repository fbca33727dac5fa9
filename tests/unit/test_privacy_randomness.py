import os

import numpy as np
import pytest

from securefl.privacy import randomness
from securefl.privacy.randomness import ChaChaStream, SystemRandomness, uniform_below, uniform_words

KEY = bytes(range(32))


def test_the_stream_is_chacha20_as_rfc_8439_defines_it():
    # RFC 8439, appendix A.1, test vector 1: all-zero key and nonce, counter 0.
    stream = ChaChaStream(bytes(32))
    assert stream(16).hex() == "76b8e0ada0f13d90405d6ae55386bd28"
    assert stream(16).hex() == "bdd219b8a08ded1aa836efcc8b770dc7"


def test_one_key_gives_one_stream_however_it_is_cut():
    a, b = ChaChaStream(KEY), ChaChaStream(KEY)
    assert a(5) + a(0) + a(100) == b(105)


def test_two_sources_never_agree():
    assert SystemRandomness()(32) != SystemRandomness()(32)


def test_a_key_is_replaced_after_its_share(monkeypatch):
    drawn = []
    monkeypatch.setattr(randomness, "REKEY_BYTES", 64)
    monkeypatch.setattr(
        os, "urandom", lambda size: drawn.append(size) or bytes([len(drawn)]) * size
    )
    source = SystemRandomness()
    source(40)
    source(24)
    assert len(drawn) == 1
    source(1)
    assert len(drawn) == 2
    assert len(source(1000)) == 1000
    assert len(drawn) == 3


def test_a_forked_child_does_not_repeat_its_parents_noise():
    source = SystemRandomness()
    source(8)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - runs in the child
        os.write(writer, source(32))
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reader, 32)
    os.close(reader)
    os.close(writer)
    assert len(theirs) == 32
    assert source(32) != theirs


def test_words_are_64_bits_little_endian():
    assert uniform_words(1, lambda size: bytes([1, *bytes(size - 1)]))[0] == 1


@pytest.mark.parametrize("bound", [1, 2, 5, 7, 1 << 40, (1 << 63) - 25, 1 << 63])
def test_uniform_integers_stay_below_their_bound(bound):
    values = uniform_below(1000, bound, ChaChaStream(KEY))
    assert values.dtype == np.uint64
    assert all(0 <= int(v) < bound for v in values)


def test_words_above_the_last_multiple_are_drawn_again():
    # 2^64 - 1 lies above the last multiple of 5: taking it modulo 5 would favour 0.
    words = iter([b"\xff" * 8 + (7).to_bytes(8, "little"), b"\xff" * 8, (8).to_bytes(8, "little")])
    assert uniform_below(2, 5, lambda _: next(words)).tolist() == [3, 2]
