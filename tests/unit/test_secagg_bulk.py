import os

import numpy as np
import pytest
from tenseal import sealapi

from securefl.secagg import bulk, seal

LIBRARY = sealapi._sealapi_cpp.__file__


@pytest.fixture(scope="module")
def array():
    keys = seal.RoundKeyPair.generate()
    context = seal._context()
    key, zero = sealapi.PublicKey(), sealapi.Ciphertext()
    seal._load(key, seal._seal_file(context.key_parms_id(), keys.public.residues, ntt=True))
    sealapi.Encryptor(context, key).encrypt_zero(zero)
    yield zero.dyn_array()
    del zero  # the array does not keep its ciphertext alive


def one_at_a_time(array):
    return [array.at(i) for i in range(array.size())]


def test_this_tenseal_brings_the_decoder():
    """Should a new release not export it, encryption still works, at half the speed: benchmarks would show it."""
    assert bulk.find_decoder(LIBRARY) is not None


def test_both_ways_give_the_same_numbers(array):
    assert bulk.read_all(array, bulk.find_decoder(LIBRARY)).tolist() == one_at_a_time(array)
    assert bulk.read_all(array, None).tolist() == one_at_a_time(array)


@pytest.mark.parametrize("wrong", [lambda packed, size: None, lambda packed, size: bytes(size)], ids=["fails", "lies about the size"])
def test_a_decoder_that_fails_changes_nothing(array, wrong):
    assert bulk.read_all(array, wrong).tolist() == one_at_a_time(array)


def test_without_library_or_symbol_there_is_no_decoder():
    assert bulk.find_decoder(None) is None
    assert bulk.find_decoder("/nowhere/to/be/found.so") is None
    assert bulk.find_decoder(np._core._multiarray_umath.__file__) is None


def test_without_a_memory_file_the_slow_way_serves(array, monkeypatch):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    assert bulk.read_all(array, lambda packed, size: pytest.fail("reached")).tolist() == one_at_a_time(array)


def test_bytes_that_are_no_zstd_are_not_decoded():
    assert bulk.find_decoder(LIBRARY)(b"no such thing", 100) is None
