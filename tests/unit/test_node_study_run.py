"""One approved study at one hospital: when it starts, and when a contribution may leave the house.

Keys, ledger, masks, encryption and store are real; the worker process is replaced by one that
answers at once, and the clock is turned by hand.
"""

import hashlib
import json
import shutil
from datetime import timedelta
from types import SimpleNamespace

import pytest
from binary_models import initial_weights
from conftest import fixed_identity
from consortium import NAMES, Consortium
from running_study import study_scene
from worker_isolation import FILES_OPEN, NETWORK_ALLOWED
from worker_stand_ins import after

from securefl.errors import (
    DataError,
    MessageError,
    NotApprovedError,
    RoundError,
    SecureFLError,
    StoreError,
    StudyError,
    UntrustedError,
)
from securefl.federation import messages, paths
from securefl.federation.messages import MAX_ANNOUNCEMENT, MAX_SMALL, End, Status
from securefl.federation.round_plan import RoundPlan
from securefl.learning.features import feature_names
from securefl.learning.patient_hashes import patients_among
from securefl.node import decisions
from securefl.node.entering import READY_SECONDS
from securefl.node.leaving import COUNTS
from securefl.node.owner.audit import read_audit
from securefl.node.patients import keep_patients, overlaps, patient_key
from securefl.node.quality import verdict_of
from securefl.report.audit import audit_overview
from securefl.report.terminal import plain_text
from securefl.secagg.seal import CkksIntegers
from securefl.sources.csv import CsvSource
from securefl.study.sealed import SealedStudy
from securefl.study.training import training_of

ME, OTHER, THIRD = NAMES


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


@pytest.fixture
def scene(hospitals, request):
    yield from study_scene(hospitals, request)


# --- before the first round
# ------------------------------------------------------------------------------------------


def test_nothing_starts_and_nothing_is_read_before_every_hospital_has_approved(scene):
    scene.run.step()
    scene.c.approve(OTHER, scene.study)
    scene.run.step()
    assert not scene.run.started
    assert not scene.ledger_says.started
    assert scene.workers == [], "a study that waits costs no worker"


def test_the_approval_is_used_up_in_the_ledger_before_the_data_is_touched(scene):
    seen = []

    def tune(worker):
        prepare = worker.prepare
        worker.prepare = lambda *given: seen.append(scene.ledger_says.started) or prepare(*given)

    scene.tune = tune
    scene.begin()
    scene.announce()
    scene.run.step()
    assert seen == [True]


@pytest.mark.parametrize("isolation", [FILES_OPEN, NETWORK_ALLOWED], ids=["files", "network"])
def test_the_start_says_in_the_ledger_which_walls_held_round_the_worker(scene, isolation):
    scene.tune = lambda worker: setattr(worker, "walls", isolation.walls)
    scene.begin()
    report = read_audit(scene.site.path).report
    studies = [study for dataset in report.datasets for study in dataset["studies"]]
    told = next(study for study in studies if study["digest"] == scene.study.digest)
    assert told["walls"] == [wall.wall for wall in isolation.walls if wall.held]
    page = plain_text(audit_overview(report))
    assert ("a worker whose network was NOT blocked" in page) is (isolation is NETWORK_ALLOWED)


def test_a_worker_that_is_given_no_table_ends_the_study_uncharged_with_the_reason(scene):
    refused = RoundError("A worker is given no table on this machine: wall network does not hold.")
    scene.tune = lambda worker: setattr(worker, "unfit", refused)
    scene.others_approve()
    scene.run.step()
    scene.clock.now += READY_SECONDS + 0.001
    with pytest.raises(RoundError, match="given no table"):
        scene.run.step()
    assert len(scene.workers) == 1
    assert not scene.ledger_says.started


def test_an_announcement_is_opened_once(scene, monkeypatch):
    opened, honest = [], messages.Announcement.open

    def count(data, **how):
        opened.append(data)
        return honest(data, **how)

    monkeypatch.setattr(messages.Announcement, "open", count)
    scene.begin()
    scene.make()
    scene.run.step()
    assert scene.sent()
    assert opened == [scene.board.read(scene.at().announcement, MAX_ANNOUNCEMENT)]


def test_what_can_fail_without_the_data_fails_before_the_budget_is_spent(scene):
    scene.site.erase_study_key(scene.study.digest)
    with pytest.raises(SecureFLError, match="cannot be read"):
        scene.enter()
    assert not scene.ledger_says.started


def test_counts_go_to_the_owners_log_only(scene):
    scene.begin()
    scene.announce()
    scene.make()
    assert any("79 of 80 rows used" in line for line in scene.lines)
    assert any("set aside: 1 rows, age: not recorded" in line for line in scene.lines)
    assert not any(
        b"set aside" in data or b"rows" in data
        for path, data in scene.c.objects().items()
        if "study.toml" not in path
    )


def test_sums_that_met_the_bound_are_told_to_the_owner_alone(scene):
    scene.tune = lambda worker: setattr(worker, "clamped", 3)
    scene.begin()
    for number in (1, 2):
        if number > 1:
            scene.announce(number)
        scene.make()
        scene.run.step()
    assert (scene.run.leaving.counts["clamped"], scene.run.leaving.counts["clamped_rounds"]) == (
        6,
        2,
    )
    assert (
        json.loads((scene.site.study_folder(scene.study.digest) / COUNTS).read_bytes())["clamped"]
        == 6
    )
    assert not any("bound" in line for line in scene.lines)


def test_a_hospital_taken_off_the_list_after_the_approval_stops_the_start(scene):
    scene.others_approve()
    scene.site.book.distrust(OTHER)
    try:
        with pytest.raises(NotApprovedError, match="no longer in this hospital's list"):
            scene.run.step()
    finally:
        scene.site.book.trust(scene.c.site(OTHER).identity.card)
    assert not scene.ledger_says.started


def test_a_coordinator_taken_off_the_list_after_the_approval_stops_the_start(scene):
    scene.site.book.distrust("researcher")
    try:
        with pytest.raises(UntrustedError, match="researcher is not in this party's own list"):
            scene.enter()
    finally:
        scene.site.book.trust(scene.c.lab.folder.identity.card)
    assert not scene.ledger_says.started


def test_other_software_than_the_studys_stops_the_start(scene, monkeypatch):
    scene.others_approve()
    scene.wait()
    scene.call()
    monkeypatch.setattr(
        "securefl.node.policy.software", lambda: {"securefl": "0.0.9", "lock_sha256": "0" * 64}
    )
    with pytest.raises(StudyError, match="made with securefl"):
        scene.wait()
    assert not scene.ledger_says.started


def test_a_text_that_is_not_the_approved_one_stops_the_start(scene):
    text = scene.study.text.replace(b"A small study", b"A small story")
    scene.change_own(plan=RoundPlan(SealedStudy.read(text)))
    with pytest.raises(NotApprovedError, match="was not approved here"):
        scene.enter()
    assert not scene.ledger_says.started


BAD_APPROVALS = {
    "junk": lambda scene, good: b"yes",
    "truncated": lambda scene, good: good[:-1],
    "oversized": lambda scene, good: good + b" " * 5000,
    "another hospital's": lambda scene, good: scene.board.read(
        paths.approval(scene.study.digest, THIRD), 1 << 16
    ),
    "of another study": lambda scene, good: _approval_of_another_study(scene),
    "signed by a stranger": lambda scene, good: _approval_by_a_stranger(scene),
}


def _approval_of_another_study(scene):
    other = scene.c.new_study("another")
    if scene.c.status(OTHER, other) is None:
        scene.c.approve(OTHER, other)
    return scene.board.read(paths.approval(other.digest, OTHER), 1 << 16)


def _approval_by_a_stranger(scene):
    from securefl.study.approval import Approval

    stranger = fixed_identity(OTHER, "hospital")
    return Approval(
        scene.study.digest, OTHER, stranger.card.signing_public, "ab" * 32, "2026-01-02T03:04:05Z"
    ).dump(stranger.sign)


@pytest.mark.parametrize("kind", BAD_APPROVALS)
def test_an_approval_that_is_not_that_hospitals_own_for_this_digest_counts_as_none(scene, kind):
    scene.others_approve()
    path = paths.approval(scene.study.digest, OTHER)
    good = scene.board.read(path, 1 << 16)
    scene.board.post(path, BAD_APPROVALS[kind](scene, good))
    scene.call()
    for _ in range(3):
        scene.wait()
    assert scene.ready() is None
    assert scene.workers == []
    assert len([line for line in scene.lines if f"waiting for {OTHER}" in line]) == 1
    scene.board.post(path, good)
    scene.wait()
    scene.wait()
    assert scene.ready() is not None


def test_its_own_approval_is_the_one_it_kept_whatever_the_store_says(scene):
    scene.enter()
    scene.board.post(paths.approval(scene.study.digest, ME), b"replaced")
    scene.announce()
    scene.run.step()
    assert scene.run.started


@pytest.mark.parametrize(
    ("site", "code"), [(OTHER, "withdrawn"), (OTHER, "not-approved"), ("sums", "message")]
)
def test_a_study_that_another_party_left_is_not_waited_for(scene, site, code):
    who = scene.c.site(site).identity if site != "sums" else _aggregator(scene.c)
    scene.board.post(
        paths.status(scene.study.digest, site),
        Status(scene.study.digest, site, 0, code).dump(who.sign),
    )
    with pytest.raises(RoundError, match=site):
        scene.run.step()
    assert not scene.ledger_says.started


def _aggregator(c):
    from securefl.party.folder import PartyFolder

    return PartyFolder.open(c.root / "sums", "aggregator").identity


def test_a_study_that_nobody_started_in_time_is_over(scene):
    closes = scene.study.file.schedule.closes
    scene.change_own(now=lambda: closes + timedelta(seconds=1))
    with pytest.raises(StudyError, match="never started"):
        scene.run.step()


def test_a_study_that_the_coordinator_ended_before_it_began_is_over(scene):
    scene.board.post(
        paths.ending(scene.study.digest),
        End(scene.study.digest, "round", 0).dump(scene.c.lab.folder.identity.sign),
    )
    with pytest.raises(RoundError, match="before it began"):
        scene.run.step()


def test_a_worker_that_dies_while_the_study_waits_is_started_again_three_times(scene):
    scene.others_approve()
    for number in (1, 2, 3):
        scene.run.step()
        assert len(scene.workers) == number
        scene.worker.alive = False
    with pytest.raises(RoundError, match="does not stay alive"):
        scene.run.step()
    assert all("stop" in w.did for w in scene.workers)


def test_a_pause_that_comes_while_the_start_is_checked_only_delays_it(scene, monkeypatch):
    scene.enter()
    scene.announce()
    owner = scene.c.site(ME)
    true_start = scene.site.ledger.start

    def pausing(digest, walls):
        decisions.pause(owner, "now")
        return true_start(digest, walls)

    try:
        with monkeypatch.context() as during:
            during.setattr(scene.site.ledger, "start", pausing)
            assert scene.run.step() is None
        assert not scene.run.started
        assert not scene.ledger_says.started
        assert "prepare" not in scene.worker.did
    finally:
        owner.ledger.resume()
    scene.run.step()
    assert scene.run.started


def test_an_approval_that_was_used_before_starts_nothing(scene):
    scene.enter()
    scene.announce()
    scene.site.ledger.start(scene.study.digest)
    with pytest.raises(NotApprovedError, match="used up"):
        scene.run.step()
    assert "prepare" not in scene.worker.did


# --- a contribution leaves the house
# ---------------------------------------------------------------------------------


def test_a_reply_is_looked_at_at_its_public_time_and_not_when_it_is_ready(scene):
    scene.begin()
    began = scene.clock.now
    for later in (0.0, 0.1, 0.199):
        scene.clock.now = began + later
        scene.run.step()
        assert scene.kept() == []
        assert scene.sent() is None
    scene.clock.now = began + 0.2001
    scene.run.step()
    assert scene.kept() == ["00001"]
    scene.run.step()
    assert (
        scene.sent()
        == (scene.site.study_folder(scene.study.digest) / "contributions" / "00001").read_bytes()
    )
    assert scene.run.late == 0


def test_a_reply_that_is_late_is_counted_and_its_owner_told(scene):
    scene.enter()
    scene.announce()
    scene.ask_by(after(lambda: scene.clock.now, lambda: 2.99))
    scene.run.step()
    scene.clock.now += 0.21
    scene.run.step()  # its first public time: the worker trains
    assert scene.kept() == []
    for _ in range(14):
        scene.clock.now += 0.2
        scene.run.step()
    scene.run.step()
    assert scene.sent()
    assert scene.run.late == 1
    assert any("2.80 s late" in line for line in scene.lines)


def test_a_failure_of_the_worker_is_seen_at_a_public_time_too(scene):
    scene.enter()
    scene.announce()

    def ends():
        raise RoundError("The worker process ended unexpectedly.", whose="this hospital")

    scene.worker.while_training = ends
    scene.run.step()
    scene.clock.now += 0.19
    assert scene.run.step() is None
    scene.clock.now += 0.02
    with pytest.raises(RoundError, match="ended unexpectedly"):
        scene.run.step()


def test_nothing_leaves_before_the_ledger_has_it(scene, monkeypatch):
    scene.begin()
    scene.announce()
    scene.make()
    scene.clock.now += 1

    def full(*_args, **_kwargs):
        raise StoreError("The ledger cannot be written: disk full.")

    with monkeypatch.context() as during:
        during.setattr(scene.site.ledger, "sent", full)
        for _ in range(3):
            with pytest.raises(StoreError):
                scene.run.step()
            assert scene.sent() is None
    scene.run.step()
    assert scene.sent()
    assert set(scene.ledger_says.sent) == {(1, "update")}


def test_nothing_is_trained_twice_when_the_store_is_away_as_the_reply_leaves(scene, monkeypatch):
    scene.begin()
    scene.announce()
    scene.make()
    scene.clock.now += 1

    def away(*_):
        raise StoreError("The store is away.")

    with monkeypatch.context() as during:
        during.setattr(scene.board, "post_file_first", away)
        for _ in range(3):
            with pytest.raises(StoreError):
                scene.run.step()
    scene.run.step()
    assert (
        scene.sent()
        == (scene.site.study_folder(scene.study.digest) / "contributions" / "00001").read_bytes()
    )
    assert scene.worker.did.count("round 1") == 1


def test_a_withdrawal_between_answer_and_reply_keeps_it_in_the_house(scene):
    scene.begin()
    scene.make()
    decisions.withdraw(scene.c.site(ME), scene.study.digest, "changed my mind")
    scene.clock.now += 1
    scene.run.step()
    assert scene.sent() is None
    assert not scene.ledger_says.sent


def test_a_withdrawal_after_the_ledger_noted_it_still_keeps_it_in_the_house(scene, monkeypatch):
    scene.begin()
    scene.announce()
    scene.make()
    noted = scene.site.ledger.sent

    def note_then_withdraw(*args, **kwargs):
        noted(*args, **kwargs)
        decisions.withdraw(scene.c.site(ME), scene.study.digest, "changed my mind")

    monkeypatch.setattr(scene.site.ledger, "sent", note_then_withdraw)
    scene.clock.now += 1
    scene.run.step()
    assert scene.ledger_says.sent
    assert scene.sent() is None


def test_a_withdrawal_while_it_trains_keeps_it_in_the_house(scene):
    scene.enter()
    scene.announce()
    scene.worker.while_training = lambda: decisions.withdraw(
        scene.c.site(ME), scene.study.digest, ""
    )
    scene.make()
    scene.clock.now += 1
    scene.run.step()
    assert scene.sent() is None


def test_a_pause_holds_the_reply_and_its_end_lets_the_same_bytes_go(scene):
    scene.begin()
    scene.announce()
    scene.make()
    owner = scene.c.site(ME)
    decisions.pause(owner, "audit")
    try:
        for _ in range(3):
            scene.clock.now += 1
            scene.run.step()
            assert scene.sent() is None
    finally:
        owner.ledger.resume()
    scene.run.step()
    assert (
        scene.sent()
        == (scene.site.study_folder(scene.study.digest) / "contributions" / "00001").read_bytes()
    )
    assert scene.worker.did.count("round 1") == 1
    assert scene.run.late == 0


def test_a_pause_that_comes_between_the_look_and_the_ledger_holds_it_too(scene, monkeypatch):
    scene.begin()
    scene.announce()
    scene.make()
    owner, true_sent = scene.c.site(ME), scene.site.ledger.sent

    def pausing(*args, **kwargs):
        decisions.pause(owner, "now")
        return true_sent(*args, **kwargs)

    scene.clock.now += 1
    try:
        with monkeypatch.context() as during:
            during.setattr(scene.site.ledger, "sent", pausing)
            scene.run.step()
        assert scene.sent() is None
    finally:
        owner.ledger.resume()
    scene.run.step()
    assert scene.sent()


def test_a_ledger_that_refuses_for_another_reason_ends_the_study(scene, monkeypatch):
    scene.begin()
    scene.announce()
    scene.make()

    def refuses(*_args, **_kwargs):
        raise NotApprovedError("Not started here.")

    monkeypatch.setattr(scene.site.ledger, "sent", refuses)
    scene.clock.now += 1
    with pytest.raises(NotApprovedError):
        scene.run.step()


def test_a_contribution_that_lies_there_already_is_never_made_again(scene):
    scene.begin()
    scene.announce()
    folder = scene.site.study_folder(scene.study.digest) / "contributions"
    folder.mkdir()
    (folder / "00001").write_bytes(b"from before")
    with pytest.raises(RoundError, match="was made before"):
        scene.make()
    assert (folder / "00001").read_bytes() == b"from before"
    assert scene.sent() is None


def test_kept_contributions_are_for_their_owner_alone(scene):
    scene.begin()
    scene.announce()
    scene.make()
    folder = scene.site.study_folder(scene.study.digest)
    for path in (folder, folder / "contributions"):
        assert path.stat().st_mode & 0o777 == 0o700
    assert (folder / "contributions" / "00001").stat().st_mode & 0o777 == 0o600


# --- what comes in
# ---------------------------------------------------------------------------------------------------


SPOILED = {
    "unsigned announcement": {"announcement": b"round 1"},
    "oversized announcement": {"announcement": b" " * (MAX_ANNOUNCEMENT + 1)},
    "malformed key": {"key": b"key"},
    "oversized key": {"key": bytes(1 << 20)},
    "malformed model": {"model": b"model"},
    "empty model": {"model": b""},
    "oversized model": {"model": bytes(1 << 16)},
}


@pytest.mark.parametrize("kind", SPOILED)
def test_what_the_coordinator_did_not_send_is_not_there_yet_and_costs_nothing(scene, kind):
    """Anybody can write into the store: junk in the place of a round must not end a study whose
    budget is spent.
    """
    scene.enter()
    scene.announce(**SPOILED[kind])
    assert scene.run.step() is None
    assert "round 1" not in scene.worker.did
    assert scene.kept() == []
    assert not scene.ledger_says.started
    scene.announce()
    scene.make()
    assert scene.kept() == ["00001"]


def test_a_public_key_that_the_coordinator_did_not_sign_is_not_the_rounds_key(scene):
    from securefl.secagg.frame import write_public_key

    scene.enter()
    wrong = write_public_key(
        CkksIntegers().generate().public,
        study=scene.study.digest,
        round_number=1,
        attempt=1,
        kind="update",
        sender="researcher",
        sign=fixed_identity("Stranger", "researcher").sign,
    )
    scene.announce(key=wrong)
    assert scene.run.step() is None
    assert "round 1" not in scene.worker.did


def test_an_announcement_waits_for_its_key(scene):
    scene.begin()
    scene.announce()
    key = scene.board.read(scene.at().key, 1 << 20)
    scene.board.erase(scene.at().key)
    assert scene.run.step() is None
    assert scene.kept() == []
    scene.board.post(scene.at().key, key)
    scene.make()
    assert scene.kept() == ["00001"]


def test_a_study_runs_on_the_table_as_it_is_when_it_starts_and_the_ledger_knows_it(scene):
    scene.others_approve()
    scene.run.step()
    first = scene.worker
    first.holds = lambda _table: False
    table = scene.c.table(ME)
    before = table.read_bytes()
    known = scene.site.ledger.state.dataset("records").snapshot
    try:
        table.write_bytes(before.rsplit(b"\n", 2)[0] + b"\n")  # a patient was taken out
        scene.tune = lambda worker: setattr(
            worker, "table", hashlib.sha256(table.read_bytes()).hexdigest()
        )
        scene.wait()
        scene.call()
        scene.wait()
        scene.others_ready()
        scene.announce()
        scene.run.step()
        assert scene.run.started
        assert scene.worker is not first
        scene.make()
        scene.run.step()
        assert scene.sent()
        assert "prepare" not in first.did
        assert (
            scene.site.ledger.state.dataset("records").snapshot
            == CsvSource(table).fingerprint(scene.site.secret)
            != known
        )
        assert any("is not the one that was registered" in line for line in scene.lines)
    finally:
        table.write_bytes(before)


def other_population(scene, patients):
    """Patients who have a budget as 'ward' at this hospital, and nobody else is remembered."""
    shutil.rmtree(scene.site.path / "patients", ignore_errors=True)
    keep_patients(scene.site, "ward", patients_among(patients, patient_key(scene.site)))
    return scene.site.path / "patients"


@pytest.mark.parametrize("common", [5, 10])
def test_a_table_swapped_for_another_populations_patients_is_refused_here_and_nothing_leaves(
    scene, common
):
    people = [f"p{n}" for n in range(10)]
    kept = other_population(scene, people[:common] + [f"w{n}" for n in range(10)])
    scene.tune = lambda worker: (
        setattr(worker, "table", "2" * 64),
        setattr(worker, "patients", people),
    )
    try:
        scene.begin()
        with pytest.raises(
            DataError, match="another file than the one that was registered"
        ) as error:
            scene.make()
        assert error.value.code == "data"
        assert f"this table, {10 * common} % are those of 'ward'" in error.value.what
        assert scene.sent() is None
        assert scene.kept() == []
        assert not (kept / "clinic").exists()
    finally:
        shutil.rmtree(kept)


@pytest.mark.parametrize("changed", [False, True])
def test_new_patients_of_a_changed_table_are_remembered_and_few_common_ones_end_nothing(
    scene, changed
):
    """The table that was registered was compared and its owner asked: it is not judged again."""
    people = [f"p{n}" for n in range(10)]
    strangers = [f"w{n}" for n in range(10)]
    kept = other_population(scene, people[:4] + strangers if changed else people)
    mine = hashlib.sha256(scene.c.table(ME).read_bytes()).hexdigest()
    scene.site.ledger.register_dataset(
        "records", population="clinic", snapshot=scene.site.keyed_snapshot(mine)
    )
    scene.tune = lambda worker: (
        setattr(worker, "table", "2" * 64 if changed else mine),
        setattr(worker, "patients", people),
    )
    try:
        scene.begin()
        scene.make()
        scene.run.step()
        assert scene.sent()
        assert "patients" not in scene.run.leaving.counts
        assert (kept / "clinic").exists() is changed
        if changed:
            found = overlaps(scene.site, "ward", patients_among(people, patient_key(scene.site)))
            assert [(o.population, o.share) for o in found] == [("clinic", 1.0)]
    finally:
        shutil.rmtree(kept)


@pytest.mark.parametrize("changed", [False, True])
def test_the_ledger_grows_alike_whether_the_table_changed_or_not_and_only_with_the_reply(
    scene, changed
):
    """Whoever holds this hospital's checkpoints counts its events."""
    mine = hashlib.sha256(scene.c.table(ME).read_bytes()).hexdigest()
    scene.tune = lambda worker: setattr(worker, "table", "1" * 64 if changed else mine)
    scene.site.ledger.register_dataset(
        "records", population="clinic", snapshot=scene.site.keyed_snapshot(mine)
    )
    before = scene.site.ledger.size
    scene.begin()
    scene.announce()
    scene.make()
    assert scene.site.ledger.size == before + 1  # the start
    scene.run.step()
    assert scene.sent()
    assert scene.site.ledger.size == before + 3  # the table that was read, and what was sent
    scene.announce(2)
    scene.make()
    scene.run.step()
    assert scene.site.ledger.size == before + 4
    assert any("is not the one that was registered" in line for line in scene.lines) is changed


def test_an_unusable_study_key_of_another_hospital_costs_nothing_here(scene, monkeypatch):
    from securefl.federation import participant

    def unusable(*_args, **_kwargs):
        raise MessageError("The agreement key of SVI is not a usable X25519 key.")

    monkeypatch.setattr(participant, "pair_secrets", unusable)
    with pytest.raises(MessageError):
        scene.begin()
    assert not scene.ledger_says.started
    assert "prepare" not in scene.worker.did


def test_the_first_reply_leaves_when_a_table_may_have_been_prepared_whatever_it_took(scene):
    scene.run.settle_seconds = 3.0
    scene.begin()
    scene.announce()
    scene.make()  # the others' public time
    assert scene.kept() == []
    scene.clock.now += 2.99
    scene.run.step()
    assert scene.kept() == []
    scene.clock.now += 0.02
    scene.run.step()
    assert scene.kept() == ["00001"]
    scene.run.step()
    assert scene.run.late == 0
    scene.announce(2)
    scene.make()
    assert scene.kept() == ["00001", "00002"]


def test_a_short_deadline_leaves_room_for_the_first_reply(scene):
    scene.run.settle_seconds = 1000.0
    scene.begin()
    assert scene.run.running.reply.pending.times.first == pytest.approx(
        scene.clock.now + scene.study.file.schedule.round_deadline / 4 + 0.2
    )


def test_a_late_reply_waits_for_the_next_whole_multiple(scene):
    scene.enter()
    scene.announce()
    scene.ask_by(after(lambda: scene.clock.now, lambda: 0.27))
    scene.make()  # reply_after is 0.2: ready after 0.27, it leaves at 0.4
    scene.clock.now += 0.12
    scene.run.step()
    assert scene.kept() == []
    assert (
        not scene.ledger_says.sent
    )  # nor does the ledger, whose checkpoints others hold, show that it is ready
    scene.clock.now += 0.08
    scene.run.step()
    scene.run.step()
    assert scene.sent() is not None
    assert scene.run.late == 1


def test_a_started_study_ends_with_its_schedule(scene):
    scene.begin()
    scene.announce()
    scene.change_own(now=lambda: scene.run.plan.study.schedule.closes + timedelta(days=1))
    with pytest.raises(StudyError, match="it is over"):
        scene.run.step()
    assert scene.kept() == []


@pytest.mark.parametrize(
    "junk", [b"over", b"", b" " * (MAX_SMALL + 1)], ids=["junk", "empty", "oversized"]
)
def test_an_end_that_the_coordinator_did_not_sign_ends_nothing(scene, junk):
    scene.begin()
    scene.board.post(paths.ending(scene.study.digest), junk)
    scene.announce()
    scene.make()
    assert scene.kept() == ["00001"]


def test_the_coordinators_end_stops_it_and_a_waiting_reply_stays(scene):
    scene.begin()
    scene.announce()
    scene.make()
    scene.board.post(
        paths.ending(scene.study.digest),
        End(scene.study.digest, "round", 0).dump(scene.c.lab.folder.identity.sign),
    )
    scene.clock.now += 1
    with pytest.raises(RoundError, match="ended the study: round"):
        scene.run.step()
    assert scene.sent() is None


def test_an_end_as_completed_before_the_last_round_is_no_completion(scene):
    scene.begin()
    scene.board.post(
        paths.ending(scene.study.digest),
        End(scene.study.digest, "completed", 4).dump(scene.c.lab.folder.identity.sign),
    )
    with pytest.raises(RoundError, match="ended the study: completed"):
        scene.run.step()


@pytest.mark.parametrize("code", ["withdrawn", "data"])
def test_a_running_study_that_another_hospital_left_is_over_even_when_the_coordinator_is_silent(
    scene, code
):
    scene.begin()
    stranger = fixed_identity(OTHER, "hospital")
    path = paths.status(scene.study.digest, OTHER)
    scene.board.post(path, Status(scene.study.digest, OTHER, 1, code).dump(stranger.sign))
    scene.clock.now += 1
    scene.run.step()  # not by that hospital: nothing happens
    scene.board.post(
        path, Status(scene.study.digest, OTHER, 1, code).dump(scene.c.site(OTHER).identity.sign)
    )
    scene.clock.now += 1
    with pytest.raises(RoundError, match=f"{OTHER} ended its part .*{code}"):
        scene.run.step()


def test_a_coordinator_that_falls_silent_is_waited_for_two_deadlines(scene):
    scene.begin()
    scene.make()
    scene.run.step()
    assert scene.sent()
    deadline = scene.study.file.schedule.round_deadline
    scene.clock.now += 2 * deadline
    scene.run.step()
    scene.clock.now += 1
    with pytest.raises(RoundError, match="two round deadlines"):
        scene.run.step()


def test_while_the_store_is_away_the_coordinator_is_not_silent(scene, monkeypatch):
    scene.begin()
    scene.make()
    scene.run.step()
    deadline = scene.study.file.schedule.round_deadline
    scene.clock.now += deadline
    with monkeypatch.context() as away:
        away.setattr(type(scene.board), "read", no_store)
        for _ in range(5):
            with pytest.raises(StoreError):
                scene.run.step()
            scene.clock.now += deadline
    scene.run.step()  # it was silent for one deadline, and could not be heard for five
    scene.clock.now += deadline
    scene.run.step()
    scene.clock.now += 1
    with pytest.raises(RoundError, match="two round deadlines"):
        scene.run.step()


def no_store(*_):
    raise StoreError("The store is away.")


def test_a_round_whose_last_total_is_not_shown_is_not_answered_and_ends_after_two_deadlines(scene):
    scene.begin()
    scene.make()
    scene.run.step()
    scene.announce(2, followed=True)
    deadline = scene.study.file.schedule.round_deadline
    for _ in range(3):
        scene.clock.now += deadline / 2
        scene.run.step()
        assert not scene.run.answering
    scene.clock.now += deadline
    with pytest.raises(RoundError, match="has not shown the opening of the last round") as over:
        scene.run.step()
    assert over.value.code == "round"
    assert scene.sent(2) is None


def test_an_announced_round_waits_for_the_total_whatever_lies_in_its_place(scene):
    scene.begin()
    scene.make()
    scene.run.step()
    scene.announce(2, followed=True)
    for junk in (b"", b"junk", b"securefl-signed/1 " + b"0" * 128 + b"\n{}"):
        scene.board.post(scene.at(1).opening, junk)
        scene.run.step()
        assert not scene.run.answering


def test_interrupting_kills_the_worker_and_stopping_ends_it(scene):
    scene.run.interrupt()
    scene.run.stop()
    scene.others_approve()
    scene.run.step()
    scene.run.interrupt()
    scene.run.stop()
    assert scene.worker.did == ["check", "kill", "stop"]


def test_a_worker_is_ended_before_its_pipes_are_closed_while_it_is_asked(scene):
    joined = []
    scene.enter()
    scene.announce()
    scene.ask_by(
        type(
            "Asked",
            (after(lambda: scene.clock.now, lambda: 9.0),),
            {"join": lambda _: joined.append(list(scene.worker.did))},
        )
    )
    scene.run.step()
    scene.run.stop()
    assert scene.worker.did[-2:] == ["kill", "stop"]
    assert joined == [scene.worker.did[:-1]]


def test_a_whole_study_is_answered_once_a_round_and_then_completed(scene):
    scene.begin()
    last = scene.run.plan.last_round
    theta = initial_weights(
        training_of(scene.study.file).model, len(feature_names(scene.study.file.data))
    )
    assert theta is not None
    for number in range(1, last + 1):
        scene.announce(number)
        scene.make()
        scene.run.step()
        assert scene.sent(number)
        scene.run.step()
    assert scene.kept() == [f"{n:05d}" for n in range(1, last + 1)]
    assert scene.worker.did[2:] == [f"round {n}" for n in range(1, last + 1)]
    end = End(scene.study.digest, "completed", last, "cannot-be-judged")
    scene.board.post(paths.ending(scene.study.digest), end.dump(scene.c.lab.folder.identity.sign))
    assert scene.run.step() == "completed"
    assert not any("asks for" in line for line in scene.lines)  # the study asks for an AUC of 0
    assert verdict_of(scene.site.study_folder(scene.study.digest)) == "cannot-be-judged"
    charged = scene.ledger_says.reservation.parts
    assert {p.purpose for p in charged} == {"update", "evaluation"}
    assert set(scene.ledger_says.sent) == {
        (1, "update"),
        (2, "update"),
        (3, "update"),
        (4, "evaluation"),
    }


# --- how often the agent steps
# ----------------------------------------------------------------------------------------


def test_a_study_that_waits_for_the_others_is_looked_at_less_often_and_never_more_than_two_seconds_late(
    scene,
):
    pauses = []
    for _ in range(4):
        pauses.append(scene.run.pause())
        scene.clock.now += 50.0
    assert pauses == pytest.approx([0.2, 1.0, 2.0, 2.0])
    scene.others_approve()
    scene.wait()
    scene.call()
    scene.wait()
    assert scene.run.pause() == pytest.approx(
        0.01
    )  # the researcher is there: the first round follows at once


def test_a_reply_that_waits_for_its_time_is_stepped_at_that_time(scene):
    scene.begin()
    scene.announce()
    scene.run.step()
    reply_after = float(scene.study.file.schedule.reply_after)
    assert scene.run.pause() == pytest.approx(
        reply_after
    )  # below the longest pause, so no step comes before
    scene.clock.now += reply_after - 0.05
    assert scene.run.pause() == pytest.approx(0.05)
    scene.clock.now += 0.0501
    scene.run.step()
    assert scene.run.pause() == pytest.approx(0.01)
    scene.run.step()
    assert scene.sent()
    assert scene.run.pause() == pytest.approx(0.01)
    scene.clock.now += 5.0
    assert scene.run.pause() == pytest.approx(0.1)
    scene.clock.now += 3600.0
    assert scene.run.pause() == pytest.approx(0.2)


@pytest.mark.parametrize("seconds", [0.01, 0.19, 5.0])
def test_how_often_is_the_same_however_long_the_worker_takes(scene, seconds):
    scene.enter()
    scene.announce()
    scene.ask_by(after(lambda: scene.clock.now, lambda: seconds))
    pauses = []
    for _ in range(4):
        scene.run.step()
        pauses.append(round(scene.run.pause(), 6))
        scene.clock.now += 0.05
    assert pauses == [0.2, 0.15, 0.1, 0.05]


def test_while_the_store_does_not_show_who_was_in_the_last_round_the_study_is_not_settled_and_then_it_says_so(
    scene,
):
    scene.begin()
    scene.make()
    scene.run.step()
    shown = [False]
    scene.run.running.participant.done, scene.run.running.participant.later = (
        scene.run.plan.last_round,
        SimpleNamespace(survivors="those that were signed for"),
    )
    scene.run.unmasking.was_counted = lambda _: shown[0]
    scene.board.post(
        paths.ending(scene.study.digest),
        End(scene.study.digest, "completed", 4).dump(scene.c.lab.folder.identity.sign),
    )
    assert scene.run.step() is None
    scene.clock.now += 2 * scene.study.file.schedule.round_deadline
    assert scene.run.step() is None
    shown[0] = True
    assert scene.run.step() == "completed"
    shown[0] = False
    scene.clock.now += 1
    with pytest.raises(
        RoundError, match="does not show whether this hospital's last contribution is in it"
    ):
        scene.run.step()


def test_at_a_server_a_study_is_looked_at_no_more_often_than_its_kind_of_place_bears(
    scene, monkeypatch
):
    monkeypatch.setattr(scene.site.board.carrier, "pace", 0.1, raising=False)
    scene.begin()
    scene.announce()
    scene.run.step()
    reply_after = float(scene.study.file.schedule.reply_after)
    scene.clock.now += reply_after - 0.05
    assert scene.run.pause() == pytest.approx(0.05)  # a reply's public time is kept
    scene.clock.now += 0.0501
    scene.run.step()
    scene.run.step()
    assert scene.sent()
    assert scene.run.pause() == pytest.approx(0.1)
