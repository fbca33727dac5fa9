"""A round that lost hospitals, made by the product and opened by the reader that shares no code with
it.
"""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from secagg_keyed import KeyedWorld
from secagg_survivors import World, run_round
from test_secagg_round_vectors import secret_of

from securefl.secagg.seal import CkksIntegers

SCRIPT = Path(__file__).parents[2] / "protocols" / "wire" / "secagg" / "reference_losses.py"
NAMES = ("A", "B", "C", "D")
LEFT = ("A", "C", "D")


def few_numbers():
    return World(NAMES, 3, 0, length=20, cipher=CkksIntegers())


def many_numbers():
    return KeyedWorld(NAMES, 3, 0, length=100, primes=1)


@pytest.fixture(scope="module")
def reader():
    return runpy.run_path(str(SCRIPT))


class Played:
    """A round in which B was lost: frames, answers, and what a reader is told."""

    def __init__(self, world):
        self.world = world
        proposer, self.frames, parties = run_round(world, LEFT, answer=())
        heads = {name: world.check(data, name) for name, data in self.frames.items()}
        self.answers = {
            name: parties[name].answer(proposer.survivors, proposer.agreements, heads)
            for name in LEFT
        }
        self.facts = world.terms().as_json()
        self.publics = {
            name: bytes.fromhex(card.signing_public) for name, card in world.cards.items()
        }
        self.secret = secret_of(world.keys[1]._decryptor)

    def open(self, reader, **changed):
        """The survivors' sum as the reader opens it."""
        given = {"frames": self.frames, "answers": self.answers, **changed}
        return reader["open_survivors"](
            given["frames"], given["answers"], self.facts, self.publics, self.secret
        )


@pytest.fixture(scope="module", params=[few_numbers, many_numbers])
def played(request):
    return Played(request.param())


def test_the_survivors_sum_opens_to_the_integers_that_were_sent(reader, played):
    assert played.open(reader) == played.world.truth(LEFT).tolist()


def test_answers_of_just_enough_hospitals_do(reader, played):
    enough = {name: played.answers[name] for name in LEFT[: played.facts["share_threshold"]]}
    assert played.open(reader, answers=enough) == played.world.truth(LEFT).tolist()


def test_too_few_answers_open_nothing(reader, played):
    few = {"A": played.answers["A"], "C": played.answers["C"]}
    with pytest.raises(ValueError, match="too few shares"):
        played.open(reader, answers=few)


def test_a_smaller_set_than_was_agreed_opens_nothing(reader, played):
    without_d = {name: data for name, data in played.frames.items() if name != "D"}
    with pytest.raises((KeyError, ValueError)):
        played.open(reader, frames=without_d)


@pytest.mark.parametrize("place", [-1, -40, 20, 400])
def test_an_answer_that_was_changed_is_refused(reader, played, place):
    changed = bytearray(played.answers["C"])
    changed[place] ^= 1
    with pytest.raises((ValueError, InvalidSignature)):
        played.open(reader, answers={**played.answers, "C": bytes(changed)})


def test_a_dealing_that_was_changed_is_refused(reader, played):
    changed = bytearray(played.frames["A"])
    changed[12 + int.from_bytes(changed[8:12], "big") + 5] ^= 1
    with pytest.raises(ValueError, match="not signed"):
        played.open(reader, frames={**played.frames, "A": bytes(changed)})


def test_a_folder_is_opened_from_the_command_line_without_the_product(tmp_path):
    played = Played(few_numbers())
    told = {
        "facts": played.facts,
        "signing_public_keys": {name: key.hex() for name, key in played.publics.items()},
        "secret_key": {str(at): value for at, value in played.secret.items()},
    }
    (tmp_path / "round.json").write_text(json.dumps(told), "utf-8")
    for kind, each in (("contribution", played.frames), ("answer", played.answers)):
        for name, data in each.items():
            (tmp_path / f"{name}.{kind}").write_bytes(data)
    command = [sys.executable, "-I", str(SCRIPT), str(tmp_path)]
    opened = subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(opened.stdout) == played.world.truth(LEFT).tolist()
