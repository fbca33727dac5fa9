"""Li and Micciancio (2021): whoever sees a ciphertext and its noisy decryption solves for the
secret key.

The aggregator sees the sum's ciphertext; everyone sees what the coordinator publishes.
"""

import numpy as np
import pytest
from secagg_round import DEGREES, NAMES, Round
from secagg_whole import add_contributions, modulus_of, open_sum
from tenseal import sealapi

from securefl.secagg import seal
from securefl.secagg.ring import sum_mod_q

pytestmark = pytest.mark.parametrize("degree", DEGREES)


def to_ntt(polynomials, ring):
    """uint64[n, degree] in coefficient order to transformed order, n >= 2."""
    context = seal._context(ring)
    carrier = sealapi.Ciphertext()
    seal.load_seal_file(
        context,
        carrier,
        seal.seal_file(context.first_parms_id(), polynomials[:, None], ntt=False),
    )
    sealapi.Evaluator(context).transform_to_ntt_inplace(carrier)
    return seal.read_residues(carrier).reshape(-1, ring.degree)


def solve_for_key(chunk, plaintext, ring):
    """s = (m - c0) / c1 at every point of the transform; returns its coefficients, uint64[degree].

    A point where c1 is 0 says nothing; 0 stands for it there.
    """
    rows = to_ntt(np.stack([chunk[0], chunk[1], plaintext]), ring)
    c0, c1, m = (row.astype(object) for row in rows)
    modulus = ring.modulus
    inverse = np.array([pow(int(x), -1, modulus) if x else 0 for x in c1], dtype=object)
    s = ((m - c0) * inverse % modulus).astype(np.uint64)
    return seal._from_ntt(s[None].copy(), ring)[0]


def ternary_share(polynomial, ring):
    """The share of coefficients that a SEAL secret key may have: 0, 1 and -1."""
    ternary = np.array([0, 1, ring.modulus - 1], dtype=np.uint64)
    return float(np.isin(polynomial, ternary).mean())


def decrypted(a_round, chunk):
    """The noisy polynomial that a careless coordinator would publish, uint64[1, degree]."""
    opened = seal._decrypt_chunk(a_round.keys._decryptor, chunk, a_round.ring)
    return seal._from_ntt(opened[None], a_round.ring)


def test_the_noisy_decryption_gives_the_key_away_and_the_integers_do_not(degree):
    a_round = Round(length=0, degree=degree)
    layout, ring = a_round.facts.layout, a_round.ring
    sent = (a_round.encrypted(values) for values in a_round.values().values())
    total = sum_mod_q(sent, modulus_of(a_round.facts))
    raw = decrypted(a_round, total[0])

    # The control: what a naive coordinator would publish.
    key = solve_for_key(total[0], raw[0], ring)
    assert ternary_share(key, ring) == 1.0
    assert 0.6 < np.count_nonzero(key) / degree < 0.73

    # Ours: everything that is released, encoded again as exactly as it can be.
    messages, _ = a_round.keys.open_once(total, layout)
    guess = solve_for_key(total[0], messages[0] * np.uint64(layout.scale), ring)
    assert ternary_share(guess, ring) < 0.01


def test_the_recovered_key_opens_every_unmasked_ciphertext_of_the_round(degree):
    """Why it matters: the control's key is not just some ternary polynomial."""
    a_round = Round(length=100, degree=degree)
    ring = a_round.ring
    values = a_round.values()
    first, other = (a_round.encrypted(values[name])[0] for name in NAMES[:2])
    raw = decrypted(a_round, first)
    s = to_ntt(np.stack([solve_for_key(first, raw[0], ring)] * 2), ring)[0].astype(object)
    c0, c1 = (row.astype(object) for row in to_ntt(other, ring))
    product = ((c0 + c1 * s) % ring.modulus).astype(np.uint64)
    opened = seal._from_ntt(product[None].copy(), ring)
    layout = a_round.facts.layout
    messages = (opened + np.uint64(layout.scale // 2)) // np.uint64(layout.scale)
    assert np.array_equal(messages, layout.pack(values[NAMES[1]]))


def test_what_is_released_is_the_same_whatever_key_and_noise_there_were(degree):
    values = Round(length=50, degree=degree).values()
    released = []
    for _ in range(3):
        a_round = Round(length=50, degree=degree)
        opened = open_sum(
            a_round.keys,
            add_contributions(a_round.contributions(values), a_round.facts).ciphertext,
            a_round.facts,
        )
        released.append((opened.values.tobytes(), opened.contributors, opened.noise_share))
    assert len(set(released)) == 1
