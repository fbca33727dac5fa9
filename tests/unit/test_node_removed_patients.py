"""Patients who are taken out: from the next round on no worker reads their rows, and no identifier
is kept anywhere.
"""

import json
import os

import pytest
from consortium import NAMES, Consortium
from hospital_folder import register, row, table, typed
from running_study import study_scene

from securefl.errors import UnreadableError, UsageError
from securefl.learning.patient_hashes import patient_hash, without_patients
from securefl.learning.table import read_table
from securefl.node.owner.pages import removal_page
from securefl.node.owner.patients import plan_patient_removal
from securefl.node.patients import patient_key
from securefl.node.removed_patients import hashed_identifiers, removed_patients, take_out
from securefl.node.site import Site
from securefl.report.terminal import plain_text

ME = NAMES[0]
KEY = bytes(32)
PLANTED = "Miller-1951-040451"
THREE = table(row("p1"), row(PLANTED, "E"), row("p3", "E"))


# --- a table without some patients


def test_a_table_loses_the_rows_of_those_patients_and_of_nobody_else():
    whole = read_table(table(row("p1"), row("p2"), "broken", row("p2"), row("p3")))
    left = without_patients(whole, "patient_id", frozenset({patient_hash("p2", KEY)}), KEY)
    assert left.column("patient_id") == ("p1", None, "p3")
    assert (left.rows, left.lines) == (3, (2, 4, 6))
    assert set(left.malformed) == {1}


@pytest.mark.parametrize("hashes", [frozenset(), frozenset({patient_hash("p9", KEY)})])
def test_nobody_else_leaves_a_table(hashes):
    whole = read_table(THREE)
    assert without_patients(whole, "patient_id", hashes, KEY) == whole


# --- the list at home


@pytest.fixture
def here(tmp_path):
    assert register(tmp_path, THREE).code == 0
    site = Site.at(tmp_path / "hospital")
    yield site
    site.ledger.close()


def test_the_list_is_kept_as_keyed_hashes_and_the_ledger_has_its_hash(here):
    kept = take_out(here, "clinic", hashed_identifiers(here, [PLANTED]))
    assert removed_patients(here, "clinic") == kept
    assert kept.hashes == {patient_hash(PLANTED, patient_key(here))}
    assert here.ledger.state.excluded == {"clinic": kept.digest}
    (file,) = (here.path / "removed" / "clinic").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert removed_patients(here, "other").hashes == frozenset()


def test_those_who_are_out_stay_out_when_others_follow(here):
    take_out(here, "clinic", hashed_identifiers(here, ["p1"]))
    kept = take_out(here, "clinic", hashed_identifiers(here, ["p3"]))
    assert kept.hashes == hashed_identifiers(here, ["p1", "p3"])
    size = here.ledger.size
    assert take_out(here, "clinic", hashed_identifiers(here, ["p3"])) == kept
    assert here.ledger.size == size
    assert len(list((here.path / "removed" / "clinic").iterdir())) == 1


@pytest.mark.parametrize(
    "broken",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(os.urandom(8)),
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: file.write_bytes(file.read_bytes() * 2),
    ],
)
def test_a_list_that_is_gone_or_changed_brings_nobody_back(here, broken):
    kept = take_out(here, "clinic", hashed_identifiers(here, [PLANTED]))
    broken(here.path / "removed" / "clinic" / kept.digest)
    with pytest.raises(UnreadableError, match="would be read again"):
        removed_patients(here, "clinic")
    with pytest.raises(UnreadableError):
        take_out(here, "clinic", hashed_identifiers(here, ["p1"]))


def test_killed_before_the_ledger_knows_the_older_list_holds(here, monkeypatch):
    kept = take_out(here, "clinic", hashed_identifiers(here, ["p1"]))
    ledger = here.ledger
    monkeypatch.setattr(type(ledger), "exclude", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        take_out(here, "clinic", hashed_identifiers(here, [PLANTED]))
    monkeypatch.undo()
    assert removed_patients(here, "clinic") == kept
    assert len(take_out(here, "clinic", hashed_identifiers(here, [PLANTED])).hashes) == 2


def test_an_unknown_population_is_refused(here):
    with pytest.raises(UsageError, match="No data set was registered"):
        plan_patient_removal(here, "nowhere", ["p1"])


# --- the owner's screen


def test_the_command_takes_patients_out_and_no_identifier_is_kept_or_shown(here, tmp_path):
    given = tmp_path / "leavers.txt"
    given.write_text(f"{PLANTED}\n\n  typo-9 \n", encoding="utf-8")
    out = tmp_path / "plan.json"
    words = ("site", "patient", "remove", "clinic", "--site", here.path, "--file", given)
    refused = typed(*words)
    assert "--yes" in refused.mend
    assert here.ledger.state.excluded == {}
    done = typed(*words, "--yes", "--json", out)
    assert done.code == 0
    assert "2 identifiers given; 1 of them in your tables now." in done.words
    assert "1 of them stand in no table" in done.words
    assert "Nothing has left this hospital" in done.words
    said = json.loads(out.read_text())
    assert (said["named"], said["found"], said["bound"]) == (2, 1, None)
    again = typed(*words, "--yes")
    assert "Nobody is to be taken out" in again.words
    # the control: the identifier is found where it has to stand
    found = [
        str(file.relative_to(tmp_path))
        for file in tmp_path.rglob("*")
        if file.is_file() and PLANTED.encode() in file.read_bytes()
    ]
    assert sorted(found) == ["leavers.txt", "t.csv"]
    assert PLANTED not in done.words + out.read_text()


def test_the_owners_count_leaves_them_out(here, tmp_path):
    check = ("site", "data", "check", tmp_path / "t.csv", "--site", here.path)
    check = (*check, "--columns", tmp_path / "protocol.toml")
    assert "you took out" not in typed(*check).words
    take_out(here, "clinic", hashed_identifiers(here, [PLANTED]))
    assert "1 row of patients whom you took out" in typed(*check).words


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe\x00"])
def test_a_file_that_names_nobody_is_refused(here, tmp_path, content):
    given = tmp_path / "leavers.txt"
    given.write_bytes(content)
    done = typed("site", "patient", "remove", "clinic", "--site", here.path, "--file", given)
    assert done.code != 0
    assert done.mend


def test_without_a_terminal_nobody_is_asked(here):
    done = typed("site", "patient", "remove", "clinic", "--site", here.path)
    assert "--file" in done.mend


# --- a study under way


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


@pytest.fixture
def scene(hospitals, request):
    yield from study_scene(hospitals, request)


def take_round(scene, number):
    scene.announce(number)
    scene.make()
    scene.run.step()
    assert scene.sent(number) is not None


def test_from_the_next_round_on_the_worker_prepares_without_them(scene):
    population = scene.study.file.data.population
    scene.enter()
    take_round(scene, 1)
    size = scene.site.ledger.size
    take_out(scene.site, population, hashed_identifiers(scene.site, [PLANTED]))
    take_round(scene, 2)
    take_round(scene, 3)
    # round 3 is the control: without a removal before it nothing is prepared
    assert scene.worker.did[-4:] == ["round 1", "prepare without 1", "round 2", "round 3"]
    # one event of the removal and one of each reply: the table is not noted twice
    assert scene.site.ledger.size == size + 3


def test_the_page_names_what_their_rows_may_have_touched_and_the_bound(scene):
    population = scene.study.file.data.population
    scene.enter()
    take_round(scene, 1)
    plan = plan_patient_removal(scene.site, population, [PLANTED])
    names = [study.name for study in plan.touched]
    assert scene.study.plan.sealed.study.study.id in " ".join(names)
    charged = sum(
        s.charged
        for s in scene.site.ledger.state.studies.values()
        if s.sent and s.reservation.population == population
    )
    assert charged > 0
    assert plan.bound is not None
    assert plan.bound.epsilon > 0
    words = " ".join(plain_text(removal_page(plan)).split())
    assert "cannot be called back" in words
    assert f"epsilon {plan.bound.epsilon:f}" in words
    assert names[-1] in words
    assert any(scene.study.digest[:12] in name for name in plan.going_on)


def test_a_lost_list_ends_a_study_before_a_row_is_read(scene):
    population = scene.study.file.data.population
    kept = take_out(scene.site, population, hashed_identifiers(scene.site, ["nobody"]))
    file = scene.site.path / "removed" / population / kept.digest
    text = file.read_bytes()
    file.unlink()
    scene.enter()
    scene.announce()
    try:
        with pytest.raises(UnreadableError, match="would be read again"):
            scene.run.step()
        assert "prepare" not in " ".join(scene.worker.did)
    finally:
        file.write_bytes(text)
