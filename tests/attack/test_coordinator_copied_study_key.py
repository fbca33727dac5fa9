"""A colluding hospital that names another's study key as its own: no single contribution opens.

A study key that is copied needs no private key. Without the defences the victim would derive one
secret for both, and where the two sort on either side of it, its two masks cancel: the control
shows that its contribution then opens by itself.
"""

import dataclasses

import numpy as np
import pytest
from in_process_federation import NAMES, Room, announced_context
from secagg_whole import pairwise_mask

from securefl.errors import MessageError
from securefl.federation.hospital_keys import pair_secrets
from securefl.secagg.masks import add_mask, pair_secret

FIRST, VICTIM, LAST = NAMES


@pytest.fixture(scope="module")
def room():
    return Room()


def copied(room):
    """The approvals as the victim sees them: the last hospital signed the first one's key as its
    own.
    """
    stolen = dataclasses.replace(room.approvals[LAST], study_key=room.approvals[FIRST].study_key)
    return {**room.approvals, LAST: stolen}


def opened_alone(room, secrets, values):
    """Whether the coordinator, with the round's secret key, reads the victim's masked ciphertext by
    itself.
    """
    keys, given = room.announce()
    facts = announced_context(room.plan, given.announcement)
    ciphertext = room.cipher.encrypt(keys.public, facts.layout.pack(values), facts.layout)
    masked = add_mask(ciphertext, pairwise_mask(VICTIM, secrets, facts), facts.layout.ring)
    messages, _ = keys.open_once(masked, facts.layout)
    # read past the canary, which an attacker's own code need not check
    field = (1 << facts.layout.field_bits) - 1
    first = (messages[0].astype(object) & field)[1 : 1 + len(values)]
    return [int(v) - (1 << (facts.layout.bits - 1)) for v in first] == values.tolist()


def test_equal_study_keys_are_refused_and_both_hospitals_named(room):
    with pytest.raises(MessageError, match="same study key") as refused:
        room.participant(VICTIM, approvals=copied(room))
    assert FIRST in refused.value.whose
    assert LAST in refused.value.whose


def test_even_so_the_secrets_differ_by_name(room, monkeypatch):
    values = np.arange(room.plan.parameters, dtype=np.int64) - 3
    ours = pair_secrets(room.plan, VICTIM, room.study_keys[VICTIM], room.approvals)
    # as if the check for equal keys were not there: the same shared key for both names
    shared = dict.fromkeys((FIRST, LAST), room.approvals[FIRST].study_key)
    assert ours[FIRST] != ours[LAST]
    naive = {
        s: pair_secret(room.study_keys[VICTIM], bytes.fromhex(k), other=s)
        for s, k in shared.items()
    }
    assert naive[FIRST] == naive[LAST]
    assert opened_alone(room, naive, values)  # the control: it opens
    with pytest.raises(Exception, match="no sum of a complete set"):
        opened_alone(room, ours, values)
