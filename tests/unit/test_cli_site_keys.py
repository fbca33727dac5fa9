"""New keys and checkpoints as data stewards type them: at the hospital that changes its keys, and
at its partners.
"""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from checkpoint_hospitals import approved, three_hospitals
from click.testing import CliRunner
from ledger_site import digest

from securefl.cli.main import cli
from securefl.identity import read_card
from securefl.node import pasts
from securefl.node.checkpoints import kept
from securefl.node.site import Site


@pytest.fixture
def place(tmp_path):
    """A ran a study before, and B keeps the checkpoint that A handed out then."""
    made = three_hospitals(tmp_path)
    approved(made["A"])
    made["A"].ledger.start(digest(1))
    made["A"].ledger.settle(digest(1), "completed")
    (tmp_path / "B" / "checkpoints").mkdir()
    (tmp_path / "B" / "checkpoints" / "A").write_bytes(made["A"].ledger.checkpoint())
    for site in made.values():
        site.ledger.close()
    return tmp_path


def type_in(place, name, *words):
    done = CliRunner().invoke(
        cli, [*map(str, words), "--folder" if words == ("doctor",) else "--site", str(place / name)]
    )
    return done.exit_code, " ".join(done.output.split()), str(done.exception or "")


def card_of(place, name):
    return read_card((place / name / "keys" / "card.json").read_bytes())


def test_a_change_of_keys_from_the_question_to_the_partners(place):
    old = card_of(place, "A")
    # without a yes nothing happens, but all that matters is on the screen
    code, out, error = type_in(place, "A", "site", "rotate-key")
    assert code != 0
    assert "nobody can be asked here" in error
    for part in (
        old.spoken,
        "old private keys are erased",
        (
            "no study with A can begin before its partners trust the new card: B (hospital), C"
            " (hospital)"
        ),
    ):
        assert part in out
    assert card_of(place, "A") == old
    # with a yes it is done, and the screen says what is to be done now
    code, out, _ = type_in(place, "A", "site", "rotate-key", "--yes")
    new = card_of(place, "A")
    assert (code, new != old) == (0, True)
    for part in (
        new.spoken,
        "Back up",
        "destroy older copies",
        "B (hospital), C (hospital)",
        "securefl site trust CARD",
        "securefl site start",
    ):
        assert part in out
    # the ledger holds over the change, also against a checkpoint that the old key signed
    code, out, _ = type_in(
        place, "A", "audit", "--verify", "--checkpoint", place / "B" / "checkpoints" / "A"
    )
    assert (code, "it contains the checkpoint" in out) == (0, True)
    assert "Signing keys" in type_in(place, "A", "audit")[1]
    # a partner sees that the card is a successor, and says yes only to the right groups
    card = place / "A" / "keys" / "card.json"
    code, out, error = type_in(place, "B", "site", "trust", card, "--fingerprint", old.spoken)
    assert (code != 0, "not that of this card" in error) == (True, True)
    for part in (
        f"replaces {old.spoken}",
        f"from {new.earlier[0].until[:10]}",
        "the old key itself signed that this one comes next",
        "Telephone A all the same",
    ):
        assert part in out
    code, out, _ = type_in(place, "B", "site", "trust", card, "--fingerprint", new.spoken)
    assert (code, "A's new card has replaced the older one here" in out) == (0, True)
    assert "new keys since" in type_in(place, "B", "site", "trust")[1]
    # what B kept from before is B's to hand out still
    assert kept(Site.at(place / "B"), new)


def test_a_partner_hands_out_what_it_holds_and_a_restored_ledger_is_found_with_it(place):
    ledger, backup = place / "A" / "ledger.sqlite", place / "backup.sqlite"
    shutil.copy(ledger, backup)
    connection = sqlite3.connect(backup)
    connection.execute("DELETE FROM event WHERE seq > 5")
    connection.commit()
    connection.close()
    code, out, _ = type_in(place, "B", "site", "checkpoint")
    assert (code, out.startswith("A 7 events")) == (0, True)
    code, out, _ = type_in(place, "B", "site", "checkpoint", "A", "--out", place / "given")
    assert (code, "had 7 events" in out, "audit --verify --checkpoint" in out) == (0, True, True)
    assert type_in(place, "A", "audit", "--verify", "--checkpoint", place / "given")[0] == 0
    shutil.copy(backup, ledger)
    assert type_in(place, "A", "audit", "--verify")[0] == 3  # the witness beside it knows more
    (place / "A" / "ledger.sqlite.head").unlink()
    assert (
        type_in(place, "A", "audit", "--verify")[0] == 0
    )  # without it the restored ledger looks sound
    code, out, _ = type_in(place, "A", "audit", "--verify", "--checkpoint", place / "given")
    assert (code, "ALTERED" in out, "knows 7 events" in out) == (3, True, True)


def put_back(place, name):
    """The named file of A as it was in the folder ``backup``."""
    target = place / "A" / name
    (shutil.rmtree if target.is_dir() else Path.unlink)(target)
    (shutil.copytree if (place / "backup" / name).is_dir() else shutil.copy)(
        place / "backup" / name, target
    )


def test_a_ledger_from_before_the_change_of_keys_is_shown_and_called_what_it_is(place):
    shutil.copytree(place / "A", place / "backup")
    type_in(place, "A", "site", "rotate-key", "--yes")
    put_back(place, "ledger.sqlite")
    code, out, _ = type_in(place, "A", "audit", "--verify")
    assert (code, "it is an older copy" in out, "7 events" in out) == (3, True, True)
    assert "s1-" in type_in(place, "A", "audit")[1]


def test_keys_from_before_the_change_sign_nothing_and_the_doctor_says_why(place):
    shutil.copytree(place / "A", place / "backup")
    type_in(place, "A", "site", "rotate-key", "--yes")
    assert "ok keys" in type_in(place, "A", "doctor")[1]
    put_back(place, "keys")
    assert (
        "These keys are not the ones that sign the ledger now" in type_in(place, "A", "doctor")[1]
    )
    code, _, error = type_in(place, "A", "site", "pause")
    assert (code != 0, "put back the one made after" in error) == (True, True)
    assert type_in(place, "A", "audit", "--verify")[0] == 0


def test_keys_do_not_change_while_a_study_waits_and_nobody_is_told_to_stop_the_agent_for_it(place):
    site = Site.at(place / "A")
    approved(site, 2)
    site.ledger.close()
    code, out, error = type_in(place, "A", "site", "rotate-key", "--yes")
    assert (code != 0, out) == (True, "")
    assert "names the old key" in error
    assert "securefl site stop" not in error


def test_a_checkpoint_of_the_own_ledger_for_somebody_else_to_keep(place):
    code, out, _ = type_in(
        place, "A", "site", "checkpoint", "A", "--out", place / "own", "--json", "-"
    )
    assert code == 0
    assert json.loads(out)["size"] == 7
    assert type_in(place, "A", "audit", "--verify", "--checkpoint", place / "own")[0] == 0


def test_what_is_not_there_is_said_with_what_is(place):
    assert (
        "not among the hospitals on your list"
        in type_in(place, "B", "site", "checkpoint", "../A")[2]
    )
    assert (
        "No checkpoint of C is held here. Held: A."
        in type_in(place, "B", "site", "checkpoint", "C")[2]
    )
    assert (
        "No checkpoint of another hospital is held here yet"
        in type_in(place, "C", "site", "checkpoint")[1]
    )
    assert (
        "--out, --settled and --without need the name"
        in type_in(place, "B", "site", "checkpoint", "--out", place / "x")[2]
    )
    code, out, _ = type_in(place, "B", "site", "checkpoint", "--json", "-")
    assert (code, [row["site"] for row in json.loads(out)["held"]]) == (0, ["A"])


def test_a_checkpoint_that_the_present_card_cannot_check_is_shown_and_not_called_nothing(place):
    file = place / "B" / "checkpoints" / "A"
    file.write_bytes(b"by an earlier key")
    code, out, _ = type_in(place, "B", "site", "checkpoint")
    assert (code, "by no key that A's present card names" in out, str(file) in out) == (
        0,
        True,
        True,
    )
    code, out, error = type_in(place, "B", "site", "checkpoint", "A", "--out", place / "given")
    assert (code != 0, "Telephone A" in error) == (True, True)
    (row,) = json.loads(type_in(place, "B", "site", "checkpoint", "--json", "-")[1])["held"]
    assert row.keys() == {"site", "fault"}
    assert file.read_bytes() == b"by an earlier key"


def test_a_program_reads_a_change_of_keys(place):
    code, out, _ = type_in(place, "A", "site", "rotate-key", "--yes", "--json", "-")
    said = json.loads(out)
    assert (code, said["fingerprint"], said["partners"]) == (
        0,
        card_of(place, "A").spoken,
        ["B", "C"],
    )


def test_a_doubted_partner_is_settled_by_a_named_command_after_a_telephone_call(place):
    here = Site.at(place / "B")
    pasts.doubt(here, "A", (b"one", b"another"))
    here.ledger.close()
    code, out, _ = type_in(place, "B", "site", "checkpoint")
    assert (code, "has shown two pasts of its ledger: telephone A" in out) == (0, True)
    code, out, error = type_in(place, "B", "site", "checkpoint", "A", "--settled")
    assert (code != 0, "nobody can be asked here" in error) == (True, True)
    assert "two copies of that hospital run at once" in out
    assert pasts.doubted(here, ("A",)) == ["A"]
    code, out, _ = type_in(place, "B", "site", "checkpoint", "A", "--settled", "--yes")
    assert (code, "studies with A can start again" in out) == (0, True)
    assert pasts.doubted(here, ("A",)) == []
    assert (
        "Nothing about the ledger of A is in doubt"
        in type_in(place, "B", "site", "checkpoint", "A", "--settled", "--yes")[2]
    )
    assert (
        "--out, --settled and --without need the name"
        in type_in(place, "B", "site", "checkpoint", "--settled")[2]
    )
