import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from secagg_round import NAMES, Party, digest_of, fake_ciphertext, make_facts
from secagg_whole import pairwise_mask

from securefl.errors import MessageError, UsageError
from securefl.secagg import masks
from securefl.secagg.ring import DEGREE, MODULUS, sum_mod_q

PARTIES = {name: Party(name) for name in NAMES}


def mask_of(me, facts, parties=PARTIES):
    secrets = {name: parties[me].secret_with(parties[name]) for name in facts.cohort if name != me}
    return pairwise_mask(me, secrets, facts)


def test_both_sides_agree_on_a_pair_secret_and_no_other_pair_has_it():
    a, b, c = (PARTIES[name] for name in NAMES[:3])
    assert a.secret_with(b) == b.secret_with(a)
    assert len({a.secret_with(b), a.secret_with(c), b.secret_with(c)}) == 3


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(32), b"\x01" + bytes(31)])
def test_an_agreement_key_that_fixes_the_secret_is_refused(public):
    with pytest.raises(MessageError) as caught:
        masks.pair_secret(X25519PrivateKey.generate(), public, other="SVI")
    assert caught.value.whose == "SVI"


def test_an_own_key_that_comes_back_as_anothers_is_refused():
    own = X25519PrivateKey.generate()
    with pytest.raises(MessageError, match="own key"):
        masks.pair_secret(own, own.public_key().public_bytes_raw())


@pytest.mark.parametrize(("secret", "digest"), [(bytes(31), digest_of("x")), (bytes(32), "ab")])
def test_a_seed_needs_a_whole_secret_and_a_digest(secret, digest):
    with pytest.raises(UsageError):
        masks.pair_seed(secret, digest)


def test_labels_differ_so_that_no_key_serves_two_purposes():
    labels = [masks.PAIR_SECRET_LABEL, masks.PAIR_SEED_LABEL, masks.CHUNK_KEY_LABEL]
    assert len(set(labels)) == 3
    assert not any(a != b and a.startswith(b) for a in labels for b in labels)


def test_masks_of_the_whole_cohort_cancel_bit_exactly():
    facts = make_facts(length=9000)
    total = sum_mod_q(mask_of(name, facts) for name in facts.cohort)
    assert total.shape == (2, DEGREE)
    assert not total.any()


def test_masks_of_all_but_one_do_not_cancel():
    facts = make_facts()
    total = sum_mod_q(mask_of(name, facts) for name in facts.cohort[1:])
    assert np.count_nonzero(total) > DEGREE - 3


def test_a_mask_differs_by_chunk_round_and_hospital():
    facts = make_facts(length=9000)
    first, again = mask_of("SVI", facts), mask_of("SVI", make_facts(length=9000, attempt=2))
    other = mask_of("STMW", facts)
    rows = [*first, *again, *other]
    assert len({row.tobytes() for row in rows}) == 6


def test_a_mask_goes_to_c0_only():
    facts = make_facts()
    ciphertext, mask = fake_ciphertext(1), mask_of("SVI", facts)
    before = ciphertext.copy()
    masked = masks.add_mask(ciphertext, mask)
    assert np.array_equal(ciphertext, before)
    assert np.array_equal(masked[:, 1], before[:, 1])
    assert not np.array_equal(masked[:, 0], before[:, 0])


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(UsageError):
        masks.add_mask(fake_ciphertext(2), np.zeros((1, DEGREE), dtype=np.uint64))


@pytest.mark.parametrize("spoil", ["drop", "extra", "outsider"])
def test_a_mask_needs_exactly_the_cohorts_secrets(spoil):
    facts = make_facts()
    secrets = {name: PARTIES["SVI"].secret_with(PARTIES[name]) for name in NAMES if name != "SVI"}
    if spoil == "drop":
        secrets.pop("STMW")
    elif spoil == "extra":
        secrets["mallory"] = bytes(32)
    with pytest.raises(UsageError, match="one secret for each"):
        pairwise_mask("mallory" if spoil == "outsider" else "SVI", secrets, facts)


@pytest.mark.parametrize("modulus", [3, 257, (1 << 20) + 7, MODULUS])
def test_rejection_reads_the_stream_in_order_and_gives_every_residue(modulus):
    residues = masks.uniform_residues(bytes(32), 5000, modulus)
    assert residues.size == 5000
    assert int(residues.max()) < modulus
    assert np.array_equal(masks.uniform_residues(bytes(32), 77, modulus), residues[:77])
    if modulus < 300:
        counts = np.bincount(residues.astype(np.int64), minlength=modulus)
        expected = 5000 / modulus
        assert (
            float(((counts - expected) ** 2 / expected).sum()) < modulus + 6 * (2 * modulus) ** 0.5
        )


def test_residues_are_spread_over_the_whole_ring():
    residues = masks.uniform_residues(bytes(32), 1 << 16, MODULUS).astype(np.float64) / MODULUS
    counts, _ = np.histogram(residues, bins=64, range=(0, 1))
    assert abs(float(residues.mean()) - 0.5) < 0.01
    assert float(((counts - 1024) ** 2 / 1024).sum()) < 63 + 6 * 126**0.5


def test_one_that_is_not_in_the_cohort_makes_no_mask_though_it_has_every_secret():
    facts = make_facts()
    with pytest.raises(UsageError, match="one secret for each"):
        masks.pairwise_seeds("mallory", {name: bytes(32) for name in facts.cohort}, facts)


def test_a_key_of_nobody_in_particular_is_refused_in_the_name_of_another_hospital():
    with pytest.raises(MessageError, match="key of another hospital") as caught:
        masks.pair_secret(X25519PrivateKey.generate(), bytes(31))
    assert caught.value.whose == "another hospital"
