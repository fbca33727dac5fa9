"""Li and Micciancio (2021): whoever sees a ciphertext and its noisy decryption solves for the
secret key.

The aggregator sees the sum's ciphertext; everyone sees what the coordinator publishes.
"""

import numpy as np
from secagg_round import NAMES, Round
from secagg_whole import add_contributions, open_sum
from tenseal import sealapi

from securefl.secagg import seal
from securefl.secagg.ring import DEGREE, MODULUS, sum_mod_q


def to_ntt(polynomials):
    """uint64[n, 4096] in coefficient order to transformed order, n >= 2."""
    context = seal._context()
    carrier = sealapi.Ciphertext()
    seal.load_seal_file(
        seal._context(),
        carrier,
        seal.seal_file(context.first_parms_id(), polynomials[:, None], ntt=False),
    )
    sealapi.Evaluator(context).transform_to_ntt_inplace(carrier)
    return seal.read_residues(carrier).reshape(-1, DEGREE)


def solve_for_key(chunk, plaintext):
    """s = (m - c0) / c1 at every point of the transform; returns its coefficients, uint64[4096]."""
    c0, c1, m = (row.astype(object) for row in to_ntt(np.stack([chunk[0], chunk[1], plaintext])))
    inverse = np.array([pow(int(x), -1, MODULUS) for x in c1], dtype=object)
    s = ((m - c0) * inverse % MODULUS).astype(np.uint64)
    return seal._from_ntt(s[None].copy())[0]


def ternary_share(polynomial):
    """The share of coefficients that a SEAL secret key may have: 0, 1 and -1."""
    return float(np.isin(polynomial, np.array([0, 1, MODULUS - 1], dtype=np.uint64)).mean())


def test_the_noisy_decryption_gives_the_key_away_and_the_integers_do_not():
    a_round = Round(length=2 * DEGREE - 1)
    layout = a_round.facts.layout
    total = sum_mod_q(a_round.encrypted(values) for values in a_round.values().values())
    raw = seal._from_ntt(seal._decrypt_chunk(a_round.keys._decryptor, total[0])[None])

    # The control: what a naive coordinator would publish.
    key = solve_for_key(total[0], raw[0])
    assert ternary_share(key) == 1.0
    assert 0.6 < np.count_nonzero(key) / DEGREE < 0.73

    # Ours: everything that is released, encoded again as exactly as it can be.
    messages, _ = a_round.keys.open_once(total, layout)
    assert ternary_share(solve_for_key(total[0], messages[0] * np.uint64(layout.scale))) < 0.01


def test_the_recovered_key_opens_every_unmasked_ciphertext_of_the_round():
    """Why it matters: the control's key is not just some ternary polynomial."""
    a_round = Round(length=100)
    values = a_round.values()
    first, other = (a_round.encrypted(values[name])[0] for name in NAMES[:2])
    raw = seal._from_ntt(seal._decrypt_chunk(a_round.keys._decryptor, first)[None])
    s = to_ntt(np.stack([solve_for_key(first, raw[0])] * 2))[0].astype(object)
    c0, c1 = (row.astype(object) for row in to_ntt(other))
    opened = seal._from_ntt(((c0 + c1 * s) % MODULUS).astype(np.uint64)[None].copy())
    layout = a_round.facts.layout
    messages = (opened + np.uint64(layout.scale // 2)) // np.uint64(layout.scale)
    assert np.array_equal(messages, layout.pack(values[NAMES[1]]))


def test_what_is_released_is_the_same_whatever_key_and_noise_there_were():
    values = Round(length=50).values()
    released = []
    for _ in range(3):
        a_round = Round(length=50)
        opened = open_sum(
            a_round.keys,
            add_contributions(a_round.contributions(values), a_round.facts).ciphertext,
            a_round.facts,
        )
        released.append((opened.values.tobytes(), opened.contributors, opened.noise_share))
    assert len(set(released)) == 1
