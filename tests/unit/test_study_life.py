"""A study's life beside its run: listed, compared, cloned, cancelled before it begins."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from click.testing import CliRunner
from conftest import protocol_text
from consortium import NAMES, Consortium
from running_study import AGREED

from securefl.api import Study
from securefl.cli.main import cli
from securefl.errors import (
    EndedError,
    NotApprovedError,
    RoundError,
    StoreError,
    StudyError,
    UsageError,
)
from securefl.federation.messages import End
from securefl.federation.offers import Offer
from securefl.federation.paths import RoundPaths
from securefl.federation.round_plan import RoundPlan
from securefl.federation.round_record import RoundRecord
from securefl.federation.status_board import end_of
from securefl.locks import Lock
from securefl.node.other_studies import look_around
from securefl.node.own_study import OwnStudy
from securefl.node.owner.requests import review
from securefl.node.study_run import StudyRun
from securefl.report.explain_study import worst_epsilon
from securefl.researcher.study_beginning import at_the_door
from securefl.researcher.study_cloning import chosen_offers, clone_text
from securefl.study.parse import parse_protocol
from securefl.study.sealed import UnsealedStudy
from securefl.study.study_clone import change, protocol_values

ME, OTHER, _ = NAMES


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("life"))


@pytest.fixture
def study(c, request):
    return c.new_study("l" + str(abs(hash(request.node.name)))[:12])


def researcher(c, *words):
    done = CliRunner().invoke(cli, ["study", *words, "--researcher", str(c.root / "researcher")])
    if done.exception:
        raise done.exception
    return done.stdout


# --- cancelled


def test_a_cancelled_study_is_signed_as_over_and_never_runs(c, study):
    study.cancel()
    study.cancel()
    assert end_of(c.lab.folder.board, study.plan) == End(study.digest, "cancelled", 0)
    assert "cancelled before it began; nothing was charged" in study.run_status()
    for refused in (study.run, study.request):
        with pytest.raises(UsageError, match="was cancelled before it began"):
            refused()


def test_a_hospital_that_approved_frees_what_it_reserved(c, study):
    c.approve(ME, study)
    site = c.site(ME)
    reserved = site.ledger.state.used("clinic")
    study.cancel()
    own = OwnStudy(site, RoundPlan(study.sealed), print, lambda: datetime.now(UTC), lambda: 0.0)
    with pytest.raises(EndedError, match="cancelled") as ended:
        StudyRun(own, AGREED).step()
    assert "costs nothing here" in ended.value.next_step
    # as the agent does with it
    site.ledger.settle(study.digest, "failed")
    assert site.ledger.state.used("clinic") < reserved
    assert site.ledger.state.studies[study.digest].charged == 0
    site.ledger.close()


def test_a_request_that_waits_cannot_be_approved_once_it_is_cancelled(c, study):
    c.hand_over(study, ME)
    site = c.site(ME)
    assert review(site, study.digest, datetime.now(UTC)).faults == ()
    study.cancel()
    faults = review(site, study.digest, datetime.now(UTC)).faults
    site.ledger.close()
    assert any("cancelled the study before it began" in fault.what for fault in faults)


def test_a_study_that_has_begun_is_not_cancelled(c, study):
    (study.folder / "run.lock").touch()
    with pytest.raises(UsageError, match="has begun") as refused:
        study.cancel()
    assert "Ctrl-C twice" in refused.value.next_step
    assert end_of(c.lab.folder.board, study.plan) is None
    assert not (study.folder / "cancelled").exists()


def test_an_announced_round_forbids_it_even_in_a_folder_that_was_put_back(c, study):
    c.lab.folder.board.post(RoundPaths(study.digest, 1).announcement, b"announced")
    with pytest.raises(UsageError, match="has begun"):
        study.cancel()


def test_a_run_that_is_just_beginning_is_not_cancelled_under_its_feet(study, monkeypatch):
    monkeypatch.setattr("securefl.locks.poll", lambda look, **_: look())
    with at_the_door(study.folder), pytest.raises(UsageError, match="being begun"):
        study.cancel()
    lock = Lock(study.folder / "begin.lock")
    assert lock.take()
    lock.release()


def test_a_store_that_is_away_is_told_later_and_no_run_begins(c, study, monkeypatch):
    def away(*_):
        raise StoreError("Away.", next_step="Wait.")

    with monkeypatch.context() as patched:
        patched.setattr("securefl.boards.slot.Slot.post", away)
        with pytest.raises(StoreError, match="not told") as told:
            study.cancel()
    assert "study cancel" in told.value.next_step
    with pytest.raises(UsageError, match="cancelled"):
        study.run()
    study.cancel()
    assert end_of(c.lab.folder.board, study.plan).outcome == "cancelled"


def test_only_the_coordinators_own_word_cancels(c, study):
    forged = End(study.digest, "cancelled", 0).dump(c.site(OTHER).identity.sign)
    c.lab.folder.board.post(f"studies/{study.digest}/end", forged)
    assert end_of(c.lab.folder.board, study.plan) is None
    c.hand_over(study, ME)
    site = c.site(ME)
    assert review(site, study.digest, datetime.now(UTC)).faults == ()
    site.ledger.close()


# --- listed and compared


def test_the_list_says_how_each_study_stands(c, study):
    def state():
        rows = json.loads(researcher(c, "list", "--json", "-"))["studies"]
        return next(r for r in rows if r["digest"] == study.digest)

    assert (state()["state"], state()["approved"]) == ("made", 0)
    for name in NAMES:
        c.approve(name, study)
    assert (state()["state"], state()["approved"]) == ("approved", 3)
    said = researcher(c, "cancel", study.name, "--yes")
    assert f"Cancelled {study.name}" in said
    told = json.loads(researcher(c, "cancel", study.name, "--yes", "--json", "-"))
    assert (told["digest"], told["state"]) == (study.digest, "cancelled")
    assert state()["state"] == "cancelled"
    assert f"{study.name}: cancelled before it began" in researcher(c, "list")


def test_two_studies_are_compared_in_words(c, study, tmp_path):
    file = tmp_path / "other.toml"
    study.clone(file, {"schedule.closes": "2099-01-01", "secagg.colluders": "0"}, study_id="other")
    said = researcher(c, "compare", study.name, str(file))
    assert "one patient's epsilon stays" in said
    assert "schedule.closes (last moment of the study):" in said
    told = json.loads(researcher(c, "compare", study.name, str(file), "--json", "-"))
    by_place = {one["place"]: one for one in told["differences"]}
    assert by_place["schedule.closes"]["after"].startswith("2099-01-01")
    assert by_place[f"participants[{ME}].weight"]["after"] is None
    assert "The two are the same." in researcher(c, "compare", str(file), str(file))
    with pytest.raises(UsageError, match="There is no file"):
        researcher(c, "compare", study.name, str(tmp_path / "none.toml"))


# --- cloned


def test_a_clone_for_programs_names_each_field_that_differs(c, study, tmp_path):
    out = tmp_path / "program.toml"
    words = ["clone", study.name, "--set", "secagg.colluders=0", "--out", str(out), "--json", "-"]
    told = json.loads(researcher(c, *words))
    assert (told["file"], told["source"]) == (str(out), study.name)
    changed = {one["place"]: one["after"] for one in told["differences"]}
    assert changed["secagg.colluders"] == "0"


def test_a_clone_is_a_protocol_of_the_same_question(c, study, tmp_path):
    made = study.clone(tmp_path / "again.toml", study_id="again")
    again = Study.new(c.lab, made, hospitals=list(NAMES), aggregator="sums", study_id="again")
    differ = {one.place for one in study.compare(again)}
    assert differ == {"study.id"}
    with pytest.raises(UsageError, match="never overwritten"):
        study.clone(made)


@pytest.mark.parametrize(
    ("place", "typed", "said"),
    [
        ("nothing.here", "1", "no place"),
        ("stages[9].rounds", "1", "no place"),
        ("stages[0]..rounds", "1", "no place"),
        ("privacy", "1", "is a table"),
        ("stages[0].rounds", "many", "no value of the kind"),
        ("schedule.closes", "soon", "no value of the kind"),
    ],
)
def test_a_change_that_fits_nowhere_is_refused(place, typed, said):
    with pytest.raises(UsageError, match=said):
        change(protocol_values(protocol_text().encode()), {place: typed})


def test_a_change_by_which_figures_contradict_each_other_names_the_one_that_fits():
    text = protocol_text().encode()
    with pytest.raises(StudyError, match=r'says 1, but the noise gives .*; write "'):
        clone_text(text, source="x", changes={"stages[0].noise_multiplier": "1.5"})


@pytest.mark.parametrize(
    ("epsilon", "closes"), [("0.5", ""), ("0.25", "2030-01-31"), ("", "2030-01-31")]
)
def test_a_clone_meets_an_offer(epsilon, closes):
    text = protocol_text().encode()
    before = UnsealedStudy.read(text).study
    offer = Offer("0" * 64, ME, epsilon, closes, "2026-01-02T03:04:05Z")
    found = parse_protocol(clone_text(text, source="x", changes={}, offers=[offer]))
    if epsilon:
        most = Decimal(epsilon)
        # met, and not by more noise than was needed
        assert most * Decimal("0.97") < worst_epsilon(found) <= most
    else:
        assert worst_epsilon(found) == worst_epsilon(before)
    if closes:
        assert found.schedule.closes == datetime(2030, 1, 31, tzinfo=UTC)


def test_offers_are_named_by_hospital(c):
    offer = Offer("0" * 64, ME, "0.5", "", "2026-01-02T03:04:05Z")
    assert chosen_offers([offer], ["all"]) == [offer]
    with pytest.raises(UsageError, match=f"{OTHER} has offered nothing"):
        chosen_offers([offer], [OTHER])


def test_approving_a_cancelled_study_is_refused(c, study):
    site = c.site(OTHER)
    look_around(site, study.file, study.digest).check_open()
    study.cancel()
    others = look_around(site, study.file, study.digest)
    site.ledger.close()
    with pytest.raises(NotApprovedError, match="cannot run any more"):
        others.check_open()


# --- in a process of its own


def test_a_detached_run_has_its_own_session_and_leaves_its_words(c, study, monkeypatch):
    started = []
    monkeypatch.setattr("subprocess.Popen", lambda words, **how: started.append((words, how)))
    study.start(c.root / "out")
    ((words, how),) = started
    assert words[1:5] == ["-m", "securefl", "study", "run"]
    assert words[5:] == [
        study.name,
        "--researcher",
        str(c.root / "researcher"),
        "--out",
        str(c.root / "out"),
    ]
    assert how["start_new_session"]
    output = study.folder / "run.out"
    assert output.stat().st_mode & 0o777 == 0o600
    output.write_text("Not all have approved.")
    with pytest.raises(UsageError, match=r"has begun\. Not all have approved"):
        study.attach(seconds=0)
    study.cancel()
    with pytest.raises(UsageError, match="cancelled"):
        study.start()
    assert len(started) == 1


def test_whoever_attaches_is_told_each_round_and_how_it_ended(study):
    (study.folder / "run.lock").touch()
    record = {"round": 1, "kind": "update", "round_digest": "1" * 64, "model_sha256": "2" * 64}
    record |= {"contributions": {ME: "3" * 64}, "sum_sha256": "4" * 64, "upload_bytes": 60000}
    told = RoundRecord(*record.values())
    (study.folder / "rounds.jsonl").write_text(json.dumps(told.__dict__) + "\n")
    seen = []
    with pytest.raises(RoundError, match="stopped without a result"):
        study.attach(seen.append)
    assert seen == [told]
