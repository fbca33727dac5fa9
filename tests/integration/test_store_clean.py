"""Ended studies' long bytes leave the store: each party's own, nothing that another still needs, and
what was signed holds as before.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from consortium import Consortium
from faulty_world import FaultyWorld
from killed_hospital import KINDS, ME, SHORT
from weather import AGGREGATOR, COORDINATOR, Weather

from securefl.cli.main import cli
from securefl.errors import RoundError
from securefl.federation import paths
from securefl.federation.study_receipt import Receipt, need_it_still
from securefl.federation.verifying import verify_round
from securefl.node.model_watch import expected_models, note_expected
from securefl.node.study_receipts import give_receipt
from securefl.party.events import EVENTS, EventLog

FOLDERS = {COORDINATOR: "researcher", AGGREGATOR: AGGREGATOR}
#: What stays of a round.
SIGNED = {"announcement", "transcript", "contributions"}


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A consortium, and a study that all have approved."""
    c = Consortium(tmp_path_factory.mktemp("ready"))
    study = c.new_study("clean", *SHORT, *KINDS["survivors"])
    for site in c.names:
        c.hand_over(study, site)
        c.approve(site, study)
    return c, study


@pytest.fixture
def world(ready, tmp_path):
    """A completed study whose hospitals still look for its model."""
    _, study = ready
    with pytest.MonkeyPatch.context() as patched:
        made = FaultyWorld(ready, tmp_path / "world", Weather(), patched)
        made.run()
        assert {made.status(name) for name in made.c.names} == {"completed"}
        # as its service does, which here has no stream
        events = EventLog(made.c.root / AGGREGATOR / EVENTS, lambda: datetime.now(UTC))
        events.tell("ended", study.digest, code="completed")
        events.close()
        yield made


def run(world, role, *options):
    """What `store clean` says to programs in that party's folder."""
    world.weather.role = role
    folder = world.c.root / FOLDERS.get(role, role)
    words = ["store", "clean", "--folder", str(folder), "--json", "-", *options]
    done = CliRunner().invoke(cli, words)
    if done.exception:
        raise done.exception
    return json.loads(done.stdout)


def everybody(world):
    return (*world.c.names, AGGREGATOR, COORDINATOR)


def fetched(world):
    """The hospitals look for the model no more, and say so."""
    for name in world.c.names:
        world.weather.role = name
        site = world.c.site(name)
        note_expected(site, world.study.digest, expected_models(site)[world.study.digest] | NO_MORE)
        give_receipt(site, world.study.digest)


NO_MORE = {"until": ""}


def test_nothing_goes_while_a_hospital_still_looks_for_the_model(world):
    before = world.objects()
    for role in everybody(world):
        (told,) = run(world, role, "--older-than", "0", "--yes")["studies"]
        assert (told["goes"], told["rounds"]) == (False, [1, 2])
        assert "STMW, SVHC, SVI may still need it" in told["why_not"]
    assert world.objects() == before


def test_each_party_takes_its_own_away_and_what_was_signed_holds(world):
    fetched(world)
    assert need_it_still(world.board, world.study.plan) == ()
    before = [verify_round(world.board, world.study.plan, number) for number in (1, 2)]
    assert all(found.added_again for found in before)
    erased = {role: set(gone) for role, gone in world.weather.erased.items()}

    # ninety days have not passed, and a dry run takes nothing away
    (told,) = run(world, ME, "--yes")["studies"]
    assert "90 days have not passed" in told["why_not"]
    shown = run(world, ME, "--older-than", "0", "--dry-run")
    assert (shown["removed"], shown["studies"][0]["goes"]) == (False, True)

    for role in everybody(world):
        assert run(world, role, "--older-than", "0", "--yes")["removed"] is True
        (again,) = run(world, role, "--older-than", "0", "--yes")["studies"]
        assert (again["rounds"], again["model"], again["goes"]) == ([], False, False)

    for role in everybody(world):  # nobody touched what is another's
        gone = set(world.weather.erased.get(role, ())) - erased.get(role, set())
        assert gone <= world.weather.by_role[role]
    root = paths.study_root(world.study.digest)
    for number in (1, 2):
        left = set(world.carrier.names(f"{root}/rounds/{number:05d}-1"))
        assert left >= SIGNED
        assert left.isdisjoint({"key", "model", "opening", "sum"})
        found = verify_round(world.board, world.study.plan, number)
        assert found.added_again is False
        assert found.transcript == before[number - 1].transcript
    assert {"study.toml", "invitation", "end", "approvals", "extracts"} <= set(
        world.carrier.names(root)
    )
    for name in world.c.names:
        world.weather.role = name
        done = CliRunner().invoke(
            cli, ["audit", "--verify", "--site", str(world.c.root / name)], catch_exceptions=False
        )
        assert done.exit_code == 0, done.output


def test_control_bytes_that_nobody_says_to_have_taken_away_are_missed(world):
    fetched(world)
    run(world, AGGREGATOR, "--older-than", "0", "--yes")
    assert verify_round(world.board, world.study.plan, 1).added_again is False
    word = paths.receipt(world.study.digest, AGGREGATOR)
    world.carrier.erase(word)
    with pytest.raises(RoundError, match="sum of round 1"):
        verify_round(world.board, world.study.plan, 1)
    # nor does a word count that another party signed
    world.weather.role = ME
    forged = Receipt(world.study.digest, AGGREGATOR, removed=True)
    world.board.post(word, forged.dump(world.c.site(ME).identity.sign))
    with pytest.raises(RoundError, match="sum of round 1"):
        verify_round(world.board, world.study.plan, 1)


def test_a_study_that_has_not_ended_is_refused(world):
    fetched(world)
    world.carrier.erase(paths.ending(world.study.digest))
    before = world.objects()
    for role in everybody(world):
        (told,) = run(world, role, "clean", "--older-than", "0", "--yes")["studies"]
        assert told["goes"] is False
        assert "it has not ended" in told["why_not"]
    assert world.objects() == before
