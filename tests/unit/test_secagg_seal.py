import copy
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from secagg_round import fake_ciphertext, make_facts

from securefl.errors import RoundError, SecureFLError, UsageError
from securefl.secagg import seal, seal_ring
from securefl.secagg.cipher_ring import CIPHER_RINGS, LARGE_RING, CipherRing
from securefl.secagg.packing import FieldLayout
from securefl.secagg.publickey import PublicKey
from securefl.secagg.ring import DEGREE, sum_mod_q

LAYOUT = FieldLayout(16, 1)


def messages_of(seed, layout=LAYOUT, chunks=1):
    rng = np.random.default_rng(seed)
    return rng.integers(
        0, 1 << (layout.fields * layout.field_bits), (chunks, layout.degree), dtype=np.uint64
    )


#: One hospital's layout in each ring.
LAYOUTS = (LAYOUT, FieldLayout(16, 1, 2048), FieldLayout(9, 1, 1024))
of_each_ring = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.degree)


@pytest.mark.parametrize("ring", CIPHER_RINGS, ids=lambda ring: ring.degree)
def test_the_ring_is_the_one_that_seal_builds(ring):
    context = seal._context(ring)
    primes = [prime.value() for prime in context.first_context_data().parms().coeff_modulus()]
    assert primes == [ring.modulus]
    keys = [prime.value() for prime in context.key_context_data().parms().coeff_modulus()]
    assert tuple(keys) == ring.primes


@pytest.mark.parametrize("ring", CIPHER_RINGS, ids=lambda ring: ring.degree)
def test_the_whole_modulus_is_inside_the_standards_tables(ring):
    """The Homomorphic Encryption Standard (2018), ternary secret, 128 bits: classical, quantum."""
    classical = {1024: 27, 2048: 54, 4096: 109}
    quantum = {1024: 25, 2048: 51, 4096: 101}
    bits = sum(prime.bit_length() for prime in ring.primes)
    assert bits <= quantum[ring.degree] < classical[ring.degree]


def test_a_modulus_that_the_standard_does_not_allow_is_refused():
    """SEAL's own table: 27 bits at degree 1024, and 28 are none of 128 bits of security."""
    for bits in (27, 28):
        prime = seal.sealapi.CoeffModulus.Create(1024, [bits])[0].value()
        ring = CipherRing(1024, prime, 1, bits, 120.0)
        if bits == 27:
            assert seal._context(ring).parameters_set()
            continue
        with pytest.raises(SecureFLError, match="another ring"):
            seal._context(ring)


def test_another_ring_is_refused():
    with pytest.raises(SecureFLError, match="another ring"):
        seal._context(CipherRing(1024, LARGE_RING.modulus - 1, 1, 46, 15.2))


@of_each_ring
@pytest.mark.parametrize("chunks", [1, 2, 16, 17, 18])
def test_what_was_encrypted_opens_exactly(chunks, layout):
    keys = seal.RoundKeyPair.generate(layout.ring)
    messages = messages_of(chunks, layout, chunks=chunks)
    opened, noise = keys.open_once(seal.encrypt(keys.public, messages, layout), layout)
    assert np.array_equal(opened, messages)
    assert 0 < noise <= seal.NOISE_LIMIT


@pytest.mark.parametrize(
    ("bits", "degree"),
    [(8, 4096), (12, 4096), (16, 4096), (8, 2048), (16, 2048), (6, 1024), (8, 1024)],
)
@pytest.mark.parametrize("contributors", [1, 2, 3, 4, 5, 6, 7, 8])
def test_sums_open_to_the_plain_integer_sums(bits, degree, contributors):
    layout = FieldLayout(bits, contributors, degree)
    ring = layout.ring
    keys = seal.RoundKeyPair.generate(ring)
    length = min(2000, layout.values_per_chunk)
    rng = np.random.default_rng(bits * contributors)
    values = rng.integers(
        -layout.max_value, layout.max_value, (contributors, length), endpoint=True
    )
    values[:, 0], values[:, 1] = layout.max_value, -layout.max_value
    sent = (seal.encrypt(keys.public, layout.pack(row), layout) for row in values)
    messages, _ = keys.open_once(sum_mod_q(sent, np.uint64(ring.modulus)), layout)
    opened, canaries = layout.unpack(messages, length)
    assert np.array_equal(opened, values.sum(axis=0))
    assert canaries.tolist() == [contributors]


@pytest.mark.parametrize(
    ("bits", "degree"), [(8, 4096), (12, 4096), (16, 4096), (8, 2048), (16, 2048)]
)
def test_a_hundred_saturated_contributions_stay_inside_the_margin(bits, degree):
    layout = FieldLayout(bits, 100, degree)
    ring = layout.ring
    keys = seal.RoundKeyPair.generate(ring)
    values = np.full(layout.values_per_chunk, -layout.max_value)
    values[::2] = layout.max_value
    sent = (seal.encrypt(keys.public, layout.pack(values), layout) for _ in range(100))
    messages, noise = keys.open_once(sum_mod_q(sent, np.uint64(ring.modulus)), layout)
    opened, canaries = layout.unpack(messages, values.size)
    assert np.array_equal(opened, values * 100)
    assert canaries.tolist() == [100]
    assert noise <= seal.NOISE_LIMIT


@of_each_ring
def test_fresh_noise_has_the_standard_deviation_that_the_margin_assumes(layout):
    """A key's own errors move it: by less than a tenth for 10^9 keys, of which margins have 12."""
    ring = layout.ring
    keys = seal.RoundKeyPair.generate(ring)
    messages = messages_of(1, layout, chunks=8)
    ciphertext = seal.encrypt(keys.public, messages, layout)
    opened = [seal._decrypt_chunk(keys._decryptor, chunk, ring) for chunk in ciphertext]
    noisy = seal._from_ntt(np.stack(opened), ring).astype(np.int64)
    noise = noisy - (messages * np.uint64(layout.scale)).astype(np.int64)
    # Around 0 modulo q.
    noise = (noise + ring.modulus // 2) % ring.modulus - ring.modulus // 2
    assert 0.8 * ring.noise_sd < float(noise.std()) < 1.15 * ring.noise_sd


@of_each_ring
def test_two_encryptions_of_one_message_differ(layout):
    keys = seal.RoundKeyPair.generate(layout.ring)
    first, second = (seal.encrypt(keys.public, messages_of(1, layout), layout) for _ in range(2))
    assert np.count_nonzero(first != second) > 2 * layout.degree - 5


@of_each_ring
def test_a_key_opens_once_and_is_erased(layout):
    keys = seal.RoundKeyPair.generate(layout.ring)
    ciphertext = seal.encrypt(keys.public, messages_of(1, layout), layout)
    assert not keys.erased
    keys.open_once(ciphertext, layout)
    assert keys.erased
    with pytest.raises(RoundError, match="once and never again"):
        keys.open_once(ciphertext, layout)


@of_each_ring
@pytest.mark.parametrize("spoil", ["garbage", "residue", "shape", "ring"])
def test_a_failed_opening_erases_the_key_too(spoil, layout):
    ring = layout.ring
    keys = seal.RoundKeyPair.generate(ring)
    ciphertext = seal.encrypt(keys.public, messages_of(1, layout), layout)
    if spoil == "garbage":
        crafted, error = fake_ciphertext(1, ring=ring), RoundError
    elif spoil == "residue":
        crafted, error = ciphertext.copy(), UsageError
        crafted[0, 0, 0] = ring.modulus
    elif spoil == "ring":
        other = next(one for one in CIPHER_RINGS if one != ring)
        crafted, error = fake_ciphertext(1, ring=other), UsageError
    else:
        crafted, error = ciphertext[:, :1], UsageError
    with pytest.raises(error):
        keys.open_once(crafted, layout)
    assert keys.erased
    with pytest.raises(RoundError):
        keys.open_once(ciphertext, layout)


@pytest.mark.parametrize("layout", LAYOUTS[1:], ids=lambda layout: layout.degree)
def test_a_key_of_another_ring_encrypts_nothing(layout):
    public = seal.RoundKeyPair.generate().public
    with pytest.raises(UsageError, match="a key of its ring"):
        seal.encrypt(public, messages_of(1, layout), layout)


def test_erasing_twice_is_harmless():
    keys = seal.RoundKeyPair.generate()
    keys.erase()
    keys.erase()
    assert keys.erased
    assert "erased=True" in repr(keys)


@pytest.mark.parametrize("store", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_key_pair_is_never_copied_or_stored(store):
    with pytest.raises(UsageError, match="never stored"):
        store(seal.RoundKeyPair.generate())


@of_each_ring
def test_a_sum_under_another_key_fails_and_releases_nothing(layout):
    keys, other = (seal.CkksIntegers().generate(layout.ring) for _ in range(2))
    ciphertext = seal.CkksIntegers().encrypt(other.public, messages_of(1, layout), layout)
    with pytest.raises(RoundError, match="nothing was released"):
        keys.open_once(ciphertext, layout)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda m: m[0],
        lambda m: m[:, :8],
        lambda m: m.astype(np.int64),
        lambda m: m << np.uint64(20),
    ],
)
def test_only_messages_of_the_layout_are_encrypted(spoil):
    public = seal.RoundKeyPair.generate().public
    with pytest.raises(UsageError):
        seal.encrypt(public, spoil(messages_of(1) | np.uint64(1 << 31)), LAYOUT)


@of_each_ring
def test_a_public_key_that_travelled_encrypts_as_well(layout):
    keys = seal.RoundKeyPair.generate(layout.ring)
    travelled = PublicKey.from_body(keys.public.body, layout.ring)
    messages = messages_of(1, layout)
    opened, _ = keys.open_once(seal.encrypt(travelled, messages, layout), layout)
    assert np.array_equal(opened, messages)


def test_without_memfd_an_unlinked_temporary_file_serves(monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    keys = seal.RoundKeyPair.generate()
    messages = messages_of(1)
    opened, _ = keys.open_once(seal.encrypt(keys.public, messages, LAYOUT), LAYOUT)
    assert np.array_equal(opened, messages)


def test_no_file_descriptor_is_left_open():
    before = len(list(Path("/proc/self/fd").iterdir()))
    keys = seal.RoundKeyPair.generate()
    keys.open_once(seal.encrypt(keys.public, messages_of(1), LAYOUT), LAYOUT)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_noise_is_reported_too_coarsely_to_say_anything_about_the_key():
    keys = seal.RoundKeyPair.generate()
    layout = make_facts().layout
    _, noise = keys.open_once(seal.encrypt(keys.public, messages_of(1, layout), layout), layout)
    assert noise == 0.05


@pytest.mark.parametrize("layout", LAYOUTS[1:], ids=lambda layout: layout.degree)
def test_of_noise_without_a_special_prime_nothing_is_said_but_that_it_is_in_its_limit(layout):
    for _ in range(5):
        keys = seal.RoundKeyPair.generate(layout.ring)
        sent = seal.encrypt(keys.public, messages_of(1, layout), layout)
        assert keys.open_once(sent, layout)[1] == seal.NOISE_LIMIT


@of_each_ring
def test_everything_that_the_key_could_be_solved_from_is_zeroed_after_the_opening(
    monkeypatch, layout
):
    made, carriers = [], []
    decrypt, invert, residues = seal._decrypt_chunk, seal._from_ntt, seal.read_residues

    def kept(call):
        def spy(*args):
            made.append(call(*args))
            return made[-1]

        return spy

    def residues_of(carrier):
        carriers.append(carrier)
        made.append(residues(carrier))
        return made[-1]

    keys = seal.RoundKeyPair.generate(layout.ring)
    ciphertext = seal.encrypt(keys.public, messages_of(1, layout, chunks=3), layout)
    monkeypatch.setattr(seal, "read_residues", residues_of)
    monkeypatch.setattr(seal, "_decrypt_chunk", kept(decrypt))
    monkeypatch.setattr(
        seal, "_from_ntt", kept(lambda *them: made.append(them[0]) or invert(*them))
    )
    keys.open_once(ciphertext, layout)
    assert len(made) == 3 + 3 + 1 + 1 + 1
    assert not any(array.any() for array in made)
    plain = [carrier for carrier in carriers if isinstance(carrier, seal.sealapi.Plaintext)]
    assert len(plain) == 3
    assert not any(residues(carrier).any() for carrier in plain)


def test_the_decryptor_is_let_go_when_the_opening_ends_or_is_broken_off():
    for take in (list, next):
        keys = seal.RoundKeyPair.generate()
        block = seal.encrypt(keys.public, messages_of(1), LAYOUT)
        held = [keys._decryptor]
        opening = seal._open_blocks(held, [block, block], LAYOUT.scale)
        take(opening)
        opening.close()
        assert held == []


def test_the_key_is_taken_and_erased_under_a_lock():
    """Of two threads that open at once, one gets the key."""

    class Lock:
        times = 0

        def __enter__(self):
            self.times += 1

        def __exit__(self, *_):
            pass

    keys = seal.RoundKeyPair.generate()
    keys._lock = Lock()
    keys.open_blocks([], LAYOUT)
    assert keys._lock.times == 1
    keys.erase()
    assert keys._lock.times == 2


def test_the_largest_message_is_encrypted_and_the_next_number_is_not():
    keys = seal.RoundKeyPair.generate()
    limit = 1 << (LAYOUT.fields * LAYOUT.field_bits)
    most = np.full((1, DEGREE), limit - 1, dtype=np.uint64)
    assert np.array_equal(keys.open_once(seal.encrypt(keys.public, most, LAYOUT), LAYOUT)[0], most)
    with pytest.raises(UsageError):
        seal.encrypt(keys.public, most + np.uint64(1), LAYOUT)


@pytest.mark.parametrize("sign", [1, -1])
def test_noise_up_to_its_limit_is_rounded_away_and_more_is_refused(sign):
    scale = 1000
    most = int(seal.NOISE_LIMIT * scale / 2)

    def rounded(noise):
        return seal.round_exactly(np.array([[7 * scale + sign * noise]], dtype=np.uint64), scale)

    messages, share = rounded(most)
    assert (messages.tolist(), share) == ([[7]], seal.NOISE_LIMIT)
    with pytest.raises(RoundError, match="nothing was released"):
        rounded(most + 1)
    assert [rounded(noise)[1] for noise in (1, 24, 25, 26, 49, 51)] == [
        0.05,
        0.05,
        0.05,
        0.1,
        0.1,
        0.15,
    ]


def test_parameters_that_seal_finds_insecure_are_refused(monkeypatch):
    class Insecure:
        def parameters_set(self):
            return False

    class Library:
        SEALContext = staticmethod(lambda *_: Insecure())

        def __getattr__(self, name):
            return getattr(library, name)

    library = seal.sealapi
    monkeypatch.setattr(seal, "sealapi", Library())
    with pytest.raises(SecureFLError, match="another ring"):
        seal._context.__wrapped__()


def test_where_arrays_lie_otherwise_they_are_not_read_in_one_piece(monkeypatch):
    monkeypatch.setattr(seal, "layout_matches", lambda *_: False)
    assert not seal._arrays_are_whole.__wrapped__()


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system has no files in memory")
def test_nothing_is_written_to_a_disk(monkeypatch):
    monkeypatch.setattr(seal.tempfile, "TemporaryFile", None)
    keys = seal.RoundKeyPair.generate()
    keys.open_once(seal.encrypt(keys.public, messages_of(1), LAYOUT), LAYOUT)


def test_of_a_key_that_is_shown_no_copy_stays_in_memory(monkeypatch):
    held = []

    def remembering(function):
        def call(*given):
            held.append(function(*given))
            return held[-1]

        return call

    keys = seal.RoundKeyPair.generate(CIPHER_RINGS[0])
    monkeypatch.setattr(seal, "read_residues", remembering(seal.read_residues))
    monkeypatch.setattr(seal_ring, "from_transformed", remembering(seal_ring.from_transformed))
    assert keys.secret().values.any()
    assert len(held) == 2
    assert not any(array.any() for array in held)
