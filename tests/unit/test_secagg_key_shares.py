import numpy as np
import pytest
from conftest import fixed_identity
from secagg_round import NAMES
from secagg_survivors import Draws, World

from securefl.errors import MessageError, UntrustedError, UsageError
from securefl.secagg import shamir
from securefl.secagg.key_shares import Dealing, deal, dealing_bytes, packet_bytes

WORLD = World(NAMES, 4, 1)
TERMS = WORLD.terms()
SELF = b"\x07" * 32


def dealt(me="SVI", seeds=None, cards=None, terms=TERMS):
    seeds = WORLD.pair_seeds(me) if seeds is None else seeds
    return deal(terms, me, SELF, seeds, cards=cards or WORLD.cards, draw=Draws(me))


def test_four_packets_restore_the_seeds_and_commitments_show_it():
    dealing = Dealing(TERMS, "SVI", dealt())
    holders = TERMS.neighbours.holders("SVI")
    shares = np.stack(
        [dealing.open_packet(name, WORLD.identities[name].unseal) for name in holders]
    )
    seeds = shamir.restore(shares[1:], [1, 2, 3, 4])
    assert seeds == [SELF, *(WORLD.pair_seeds("SVI")[name] for name in TERMS.neighbours.of("SVI"))]
    from securefl.secagg.key_shares import seed_commitment

    assert [seed_commitment(TERMS, seed) for seed in seeds] == [
        dealing.seed_commitment(i) for i in range(5)
    ]
    assert dealing.seed_index(None) == 0
    assert dealing.seed_index("STMW") == 1


def test_both_of_a_pair_commit_to_the_same():
    one, two = Dealing(TERMS, "SVI", dealt()), Dealing(TERMS, "STMW", dealt("STMW"))
    assert one.seed_commitment(one.seed_index("STMW")) == two.seed_commitment(two.seed_index("SVI"))


def test_a_dealing_has_the_size_that_the_terms_say():
    assert len(dealt()) == dealing_bytes(TERMS) == 5 * 32 + 25 * 16 + 5 * packet_bytes(TERMS)
    assert packet_bytes(TERMS) == 48 + 5 * 36


def test_a_packet_opens_for_its_holder_in_its_round_only():
    data = dealt()
    with pytest.raises(MessageError, match="does not open") as caught:
        Dealing(TERMS, "SVI", data).open_packet("STMW", WORLD.identities["SVHC"].unseal)
    assert caught.value.whose == "SVI"
    with pytest.raises(MessageError, match="does not open"):
        Dealing(WORLD.terms(2), "SVI", data).open_packet("STMW", WORLD.identities["STMW"].unseal)
    with pytest.raises(MessageError, match="does not open"):
        Dealing(TERMS, "SVHC", data).open_packet("STMW", WORLD.identities["STMW"].unseal)


@pytest.mark.parametrize(
    "plain",
    [b"", bytes(36), bytes(180), b"\xff" * 180],
    ids=["empty", "short", "zeros", "above the prime"],
)
def test_a_packet_with_other_shares_than_committed_is_refused_in_the_dealers_name(plain):
    class Says:
        def unseal(self, sealed, info):
            return plain

    with pytest.raises(MessageError, match="other shares") as caught:
        Dealing(TERMS, "SVI", dealt()).open_packet("STMW", Says().unseal)
    assert caught.value.whose == "SVI"


def test_every_bit_of_a_share_is_committed_to():
    dealing = Dealing(TERMS, "SVI", dealt())
    share = shamir.share_bytes(dealing.open_packet("STMW", WORLD.identities["STMW"].unseal)[2])
    assert dealing.share_fits("STMW", 2, share)
    assert not dealing.share_fits("STMW", 1, share)
    assert not dealing.share_fits("SVHC", 2, share)
    assert not any(
        dealing.share_fits("STMW", 2, share[:i] + bytes([share[i] ^ 1]) + share[i + 1 :])
        for i in range(36)
    )


def test_two_dealings_of_the_same_seeds_share_no_packet():
    one, two = (
        dealt(),
        deal(TERMS, "SVI", SELF, WORLD.pair_seeds("SVI"), cards=WORLD.cards, draw=Draws("other")),
    )
    assert one[:160] == two[:160]  # commitments to the same seeds
    assert one[160:176] != two[160:176]


def test_a_missing_card_or_seed_is_refused():
    with pytest.raises(UntrustedError) as caught:
        dealt(cards={name: card for name, card in WORLD.cards.items() if name != "SVHD"})
    assert caught.value.whose == "SVHD"
    with pytest.raises(UsageError):
        dealt(seeds={"STMW": bytes(32)})


def test_a_card_whose_sealing_key_is_no_key_is_refused():
    from dataclasses import replace

    bad = replace(fixed_identity("SVHD", "hospital").card, sealing_public="00" * 32)
    with pytest.raises(UntrustedError):
        dealt(cards={**WORLD.cards, "SVHD": bad})


@pytest.mark.parametrize("wrong", range(5))
def test_a_packet_with_one_wrong_share_among_true_ones_is_refused(wrong):
    dealing = Dealing(TERMS, "SVI", dealt())
    shares = dealing.open_packet("STMW", WORLD.identities["STMW"].unseal).copy()
    shares[wrong, 17] ^= 1
    with pytest.raises(MessageError, match="other shares") as caught:
        dealing.open_packet("STMW", lambda sealed, info: shamir.share_bytes(shares))
    assert caught.value.whose == "SVI"
