"""An aggregator holds no key, and could still bend the model: whoever adds ciphertexts can shift
them. The coordinator adds again before it decrypts, so that nothing which is not the sum of the
signed contributions is ever opened.
"""

import numpy as np
import pytest
from secagg_round import DEGREES, Round
from secagg_whole import add_contributions, check_sum, modulus_of, open_sum, read_sum, write_sum

from securefl.errors import RoundError
from securefl.secagg.ring import sum_mod_q

SHIFT = 7


class Played:
    """A round whose contributions are all there, and an aggregator that signs what it likes as
    their sum.
    """

    def __init__(self, degree):
        self.round = Round(length=0, degree=degree)  # every field of the ciphertext is used
        self.facts = self.round.facts
        self.values = self.round.values()
        self.contributions = {c.sender: c for c in self.round.contributions(self.values)}
        self.honest = add_contributions(self.contributions.values(), self.facts)

    def claim(self, ciphertext):
        """The signed frame, read as the coordinator reads it: signature, shape and residues are in
        order.
        """
        aggregator = self.round.parties["aggregator"]
        frame = write_sum(self.facts, "aggregator", ciphertext, self.honest.parts, aggregator.sign)
        return read_sum(frame, self.facts, "aggregator", aggregator.verify)

    def shifted(self):
        """The sum with one number made larger by SHIFT: a plaintext is added to a ciphertext
        without any key.
        """
        layout, changed = self.facts.layout, self.honest.ciphertext.copy()
        changed[0, 0, 5] = (
            int(changed[0, 0, 5])
            + (layout.scale * SHIFT << layout.field_bits * (layout.fields - 1))
        ) % layout.ring.modulus
        return changed

    def dropped(self):
        return sum_mod_q(
            (c.ciphertext for c in list(self.contributions.values())[1:]), modulus_of(self.facts)
        )

    def doubled(self):
        first, *rest = self.contributions.values()
        return sum_mod_q((c.ciphertext for c in (first, first, *rest)), modulus_of(self.facts))

    def exchanged(self):
        first, _second, *rest = self.contributions.values()
        return sum_mod_q((c.ciphertext for c in (first, first, *rest)), modulus_of(self.facts))


@pytest.fixture(params=DEGREES)
def played(request):
    return Played(request.param)


def test_control_a_shifted_sum_opens_without_complaint_to_another_model(played):
    opened = open_sum(played.round.keys, played.claim(played.shifted()).ciphertext, played.facts)
    difference = opened.values - sum(played.values.values())
    assert difference[difference != 0].tolist() == [SHIFT]


@pytest.mark.parametrize("lie", ["shifted", "dropped", "doubled", "exchanged"])
def test_the_coordinator_adds_again_and_refuses_it_before_it_decrypts(played, lie):
    claimed = played.claim(getattr(played, lie)())
    with pytest.raises(RoundError, match="not the sum of the contributions") as refused:
        check_sum(claimed, played.contributions.values(), played.facts)
    assert refused.value.whose == "aggregator"
    # the key was not used: the true sum still opens
    opened = open_sum(played.round.keys, played.honest.ciphertext, played.facts)
    assert np.array_equal(opened.values, sum(played.values.values()))


@pytest.mark.parametrize("lie", ["dropped", "doubled", "exchanged"])
def test_should_that_check_fail_masks_that_do_not_cancel_keep_it_closed(played, lie):
    with pytest.raises(RoundError):
        open_sum(played.round.keys, getattr(played, lie)(), played.facts)
