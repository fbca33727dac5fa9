from dataclasses import replace

import numpy as np
import pytest
from secagg_round import Round, make_facts
from secagg_whole import contribute

from securefl.errors import RoundError, UsageError
from securefl.secagg.seal import CkksIntegers


class Unused(CkksIntegers):
    """A cipher that must not be reached."""

    def encrypt(self, public, messages, layout):
        raise AssertionError


def call(a_round, values=None, cipher=None, **changes):
    arguments = {
        "facts": a_round.facts,
        "public": a_round.keys.public,
        "me": "SVI",
        "secrets": a_round.secrets("SVI"),
        "sign": a_round.parties["SVI"].sign,
        "cipher": cipher or Unused(),
        **changes,
    }
    return contribute(np.zeros(10, dtype=np.int64) if values is None else values, **arguments)


def test_a_cohort_of_one_is_refused_because_nothing_would_mask_it():
    a_round = Round()
    with pytest.raises(RoundError, match="alone"):
        call(a_round, facts=make_facts(("SVI",)), secrets={})


def test_a_public_key_that_the_facts_do_not_name_is_refused():
    with pytest.raises(RoundError, match="public key") as caught:
        call(Round(), public=Round().keys.public)
    assert caught.value.whose == "the coordinator"


def test_values_that_do_not_fit_are_refused_before_encryption():
    a_round = Round()
    with pytest.raises(RoundError, match="10 values"):
        call(a_round, np.zeros(11, dtype=np.int64))
    with pytest.raises(RoundError, match="16 bits"):
        call(a_round, np.full(10, 1 << 15))


def test_values_that_are_not_integers_are_refused():
    with pytest.raises(UsageError):
        call(Round(), np.full(10, np.nan))


def test_secrets_that_are_not_the_cohorts_are_refused():
    with pytest.raises(UsageError):
        call(Round(), secrets={})


def test_a_contribution_is_masked():
    a_round = Round()
    frame = call(a_round, cipher=CkksIntegers())
    other = call(a_round, cipher=CkksIntegers(), facts=replace(a_round.facts, attempt=2))
    assert frame[-59392:] != other[-59392:]
