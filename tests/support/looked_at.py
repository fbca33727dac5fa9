"""The small study with looks at its training on the way: one after each of its first three rounds."""

from __future__ import annotations

from decimal import Decimal

from in_process_federation import sealed_study

EVALUATE = '[[stages]]\nkind = "evaluate"'
#: Noise 8 three times costs .7913 at delta 1e-5 by the PLD accountant.
TABLE = """[stages.looks]
every = 1
noise_multiplier = "8"
epsilon = "0.792"
patience = 1

"""
#: Edit of the small protocol.
LOOKS = (EVALUATE, TABLE + EVALUATE)
#: Edit of a protocol of three rounds: two looks, which cost .6341.
TWO_LOOKS = (EVALUATE, TABLE.replace("0.792", "0.635") + EVALUATE)
#: Kinds of the rounds with three looks.
KINDS = ["update", "look", "update", "look", "update", "look", "update", "evaluation"]
NOISE = Decimal(8)


def looked_at(*edits, **given):
    """The plan of a sealed study with looks."""
    return sealed_study(LOOKS, *edits, **given)[1]
