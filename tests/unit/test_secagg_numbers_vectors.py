"""numbers.md, numbers-vectors.json and its independent implementation say the same as the product."""

import json
import runpy
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from securefl.secagg import additive
from securefl.secagg.additive import NumberKey, encrypt_numbers, open_numbers, shared_elements
from securefl.secagg.number_layout import NumberLayout
from securefl.secagg.ring import pack_bits

FOLDER = Path(__file__).parents[2] / "protocols" / "wire" / "secagg"
VECTORS = json.loads((FOLDER / "numbers-vectors.json").read_bytes())


def test_the_file_is_what_the_independent_implementation_writes():
    assert (FOLDER / "numbers-vectors.json").read_text("utf-8") == runpy.run_path(
        str(FOLDER / "reference_numbers.py")
    )["text"]()


@pytest.mark.parametrize(
    "vector", VECTORS["layouts"], ids=lambda v: f"{v['bits']}-{v['contributors']}-{v['primes']}"
)
def test_layouts(vector):
    layout = NumberLayout(vector["bits"], vector["contributors"], vector["primes"])
    names = ("field_bits", "error_bits", "fields")
    assert {name: getattr(layout, name) for name in names} == {name: vector[name] for name in names}
    assert layout.values_per_element == vector["values"]


@pytest.mark.parametrize(
    "vector", VECTORS["cases"], ids=lambda v: f"{v['layout']['primes']} primes"
)
def test_elements_residue_for_residue_and_what_their_sum_opens_to(vector, monkeypatch):
    shape = vector["layout"]
    layout = NumberLayout(shape["bits"], shape["contributors"], shape["primes"])
    ring = layout.ring
    (section,) = layout.sections(vector["length"])
    assert section.degree == vector["residues"]
    shared = shared_elements(ring, vector["round_digest"], 0, 1)
    assert [[str(v) for v in row[:3]] for row in shared[0].tolist()] == vector["shared_first"]
    i = np.arange(ring.degree)
    most = layout.max_value
    total, key_sum = None, np.zeros(ring.degree, dtype=np.int64)
    for k in range(layout.contributors):
        values = (i * i * (k + 3))[: vector["length"]] % (2 * most + 1) - most
        key = NumberKey(ring, (i * (k + 2) + i * i) % 19 - 9)
        errors = (i * (k + 5)) % 23 - 11
        monkeypatch.setattr(additive, "gaussian_samples", lambda count, draw, e=errors: e)
        element = encrypt_numbers(values, layout, section, key, shared)
        assert hashed(element) == vector["elements_sha256"][k]
        total = element if total is None else section.add(total, element)
        key_sum = key_sum + key.values
    assert hashed(total) == vector["sum_sha256"]
    opened, canaries, _ = open_numbers(
        total,
        layout,
        NumberKey(ring, key_sum),
        shared,
        length=vector["length"],
        contributors=layout.contributors,
    )
    assert opened.tolist() == vector["opened"]
    assert canaries.tolist() == [layout.contributors]


def hashed(element):
    return sha256(pack_bits(element, 58)).hexdigest()
