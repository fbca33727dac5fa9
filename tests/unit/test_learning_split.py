from fractions import Fraction

import numpy as np
from small_study import SPEC, csv

from securefl.learning.features import prepare
from securefl.learning.split import held_out, split_rows
from securefl.learning.table import read_table

PATIENTS = [f"p{i}" for i in range(4000)]


def test_the_split_is_the_same_every_time_and_near_its_ratio():
    outside = held_out(b"k" * 32, PATIENTS, Fraction(3, 10))
    np.testing.assert_array_equal(outside, held_out(b"k" * 32, PATIENTS, Fraction(3, 10)))
    assert 1100 < outside.sum() < 1300


def test_another_secret_gives_another_split():
    assert (
        held_out(b"k" * 32, PATIENTS, Fraction(1, 2))
        != held_out(b"l" * 32, PATIENTS, Fraction(1, 2))
    ).sum() > 1500


def test_adding_a_patient_moves_nobody_across():
    before = held_out(b"k" * 32, PATIENTS[1:], Fraction(3, 10))
    np.testing.assert_array_equal(before, held_out(b"k" * 32, PATIENTS, Fraction(3, 10))[1:])


def test_training_and_held_out_patients_are_disjoint_and_complete():
    table = read_table(csv(*(f"p{i},{i % 100},1,F,f,{'E' if i % 3 else '-'}" for i in range(300))))
    prepared = prepare(table, SPEC, b"k" * 32)
    train, held = split_rows(prepared, b"k" * 32, Fraction(3, 10))
    assert not set(train.patients) & set(held.patients)
    assert sorted(train.patients + held.patients) == sorted(prepared.patients)
    assert len(train.X) == len(train.y) == len(train.patients)
