import io
import secrets

import numpy as np
import pytest
from secagg_round import NAMES
from secagg_survivors import Draws, World

from securefl.errors import MessageError, RoundError, UntrustedError, UsageError
from securefl.secagg import ring, sections, survivor_contribution
from securefl.secagg.cipher_ring import LARGE_RING
from securefl.secagg.envelope import write_frame
from securefl.secagg.masks import Seeds, add_mask

LENGTH = 70_000  # nine ciphertexts
WORLD = World(NAMES, 4, 1, length=LENGTH)
TERMS = WORLD.terms()
HEAD, SPOOL = WORLD.contribute("SVI")


class Trickle(io.RawIOBase):
    """A file that hands out at most 1000 bytes at a time."""

    def __init__(self, data):
        self._inner = io.BytesIO(data)

    def read(self, size=-1):
        return self._inner.read(min(size, 1000) if size >= 0 else 1000)


def read(data, sender="SVI", terms=TERMS):
    return survivor_contribution.check_contribution(
        io.BytesIO(data), terms, sender, WORLD.verify_by(sender)
    )


def test_a_contribution_is_its_ciphertexts_plus_pair_masks_plus_self_mask():
    head = survivor_contribution.read_head(
        Trickle(HEAD + SPOOL), TERMS, "SVI", WORLD.verify_by("SVI")
    )
    blocks = list(survivor_contribution.ciphertext_blocks(io.BytesIO(SPOOL), TERMS, head))
    seeds = WORLD.pair_seeds("SVI")
    mask = Seeds(tuple((n > "SVI", s) for n, s in seeds.items()), (Draws("SVI/1")(32),))
    expected = add_mask(
        WORLD.cipher.encrypt(
            None, TERMS.facts.layout.pack(WORLD.values("SVI")), TERMS.facts.layout
        ),
        mask.block(0, 9),
    )
    assert np.array_equal(np.concatenate(blocks), expected)


def test_the_block_size_changes_nothing(monkeypatch):
    monkeypatch.setattr(sections, "_BLOCK_BYTES", 2 * LARGE_RING.chunk_bytes)
    assert WORLD.contribute("SVI")[1] == SPOOL


def test_the_hash_of_the_frame_is_that_of_its_head_and_pins_the_rest():
    assert read(HEAD + SPOOL).sha256 == WORLD.head(HEAD, "SVI").sha256
    for at in (0, len(SPOOL) // 2, len(SPOOL) - 1):
        with pytest.raises(MessageError, match="does not have the hash"):
            read(HEAD + SPOOL[:at] + bytes([SPOOL[at] ^ 1]) + SPOOL[at + 1 :])


def test_the_head_is_small_and_limits_are_known_before_reading():
    assert len(HEAD) <= survivor_contribution.head_limit(TERMS)
    assert len(HEAD + SPOOL) <= survivor_contribution.contribution_limit(TERMS)
    assert survivor_contribution.head_limit(TERMS) < 6000


@pytest.mark.parametrize(
    "data", [HEAD, HEAD + SPOOL[:-1], HEAD[:-1], HEAD[:500], b"", HEAD[:12]], ids=range(6)
)
def test_a_frame_that_ends_early_is_refused_in_its_senders_name(data):
    with pytest.raises(MessageError) as caught:
        read(data)
    assert caught.value.whose == "SVI"


def test_what_follows_a_frame_is_refused():
    with pytest.raises(MessageError, match="follows"):
        read(HEAD + SPOOL + b"x")


def test_a_manifest_longer_than_the_round_allows_is_not_read():
    class Counting(io.BytesIO):
        most = 0

        def read(self, size=-1):
            self.most = max(self.most, size)
            return super().read(size)

    file = Counting(HEAD[:8] + b"\xff\xff\xff\xff" + bytes(1000))
    with pytest.raises(MessageError, match="claims"):
        survivor_contribution.read_head(file, TERMS, "SVI", WORLD.verify_by("SVI"))
    assert file.most == 12


def test_residues_that_are_none_are_refused_though_signed():
    for change, why in (
        (lambda c: c[3, 0].__setitem__(5, ring.MODULUS), "prime"),
        (lambda c: c[3, 1].fill(0), "empty or constant"),
    ):
        ciphertext = ring.unpack_bits(SPOOL, 58).reshape(-1, 2, 4096).copy()
        change(ciphertext)
        spool = io.BytesIO()
        hashes = [
            read(HEAD + SPOOL).head.manifest["chunks"][0],
            *TERMS.facts.sections[0].write(ciphertext, spool),
        ]
        head = survivor_contribution.contribution_envelope(TERMS, "SVI").head(
            hashes, WORLD.identities["SVI"].sign
        )
        with pytest.raises(MessageError, match=why):
            read(head + HEAD[-len(read(HEAD + SPOOL).head.lead) :] + spool.getvalue())


def test_a_contribution_to_other_terms_or_of_a_stranger_is_refused():
    with pytest.raises(MessageError):
        read(HEAD + SPOOL, terms=WORLD.terms(2))
    with pytest.raises(MessageError):
        read(HEAD + SPOOL, sender="STMW")
    with pytest.raises(MessageError, match="cohort"):
        survivor_contribution.read_head(io.BytesIO(HEAD), TERMS, "nobody", WORLD.verify_by("SVI"))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"secrets": {}}, UsageError),
        ({"cards": {}}, UntrustedError),
        ({"values": np.zeros(3, dtype=np.int64)}, RoundError),
        ({"values": np.full(LENGTH, 1 << 20)}, RoundError),
        ({"values": np.zeros(LENGTH)}, UsageError),
    ],
    ids=["no secrets", "no cards", "too few values", "too large", "floats"],
)
def test_what_cannot_be_sent_is_refused_before_anything_is_signed(changes, error):
    def never(message):
        raise AssertionError

    with pytest.raises(error):
        WORLD.contribute("SVI", **{"sign": never, **changes})


def test_a_stranger_to_the_cohort_makes_no_contribution():
    with pytest.raises(UsageError, match="cohort"):
        survivor_contribution.spool_contribution(
            WORLD.values("SVI"), io.BytesIO(), terms=TERMS, public=WORLD.keys[1].public, me="nobody", secrets={}, cards={},
            sign=None, cipher=WORLD.cipher,
        )  # fmt: skip


def test_no_two_contributions_have_a_self_mask_in_common():
    one, two = (WORLD.contribute("SVI", draw=secrets.token_bytes)[1] for _ in range(2))
    assert one != two


def test_a_frame_is_written_in_one_file_whose_head_comes_last():
    file = io.BytesIO(b"before|")
    file.seek(7)

    def write(behind):
        behind.write(SPOOL)
        return HEAD

    write_frame(file, survivor_contribution.head_bytes(TERMS, "SVI"), write)
    assert file.tell() == len(file.getvalue())
    assert file.getvalue() == b"before|" + HEAD + SPOOL
    head = survivor_contribution.read_head(io.BytesIO(HEAD), TERMS, "SVI", WORLD.verify_by("SVI"))
    assert head.head.frame_bytes == len(HEAD + SPOOL)


def test_a_head_that_does_not_fit_its_place_is_no_frame():
    with pytest.raises(UsageError, match="does not fill"):
        write_frame(io.BytesIO(), 10, lambda _: b"short")
