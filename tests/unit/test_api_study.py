"""The researcher's door without the other parties' processes: what it believes of the store, and
that a study runs once.
"""

import html
import json
import shutil
from contextlib import nullcontext
from datetime import datetime
from decimal import Decimal

import numpy as np
import pytest
from binary_models import initial_weights
from click.testing import CliRunner
from conftest import edited, fixed_identity
from consortium import NAMES, Consortium

from securefl.api import Study, connect, load_model
from securefl.boards.board import CarriedBoard
from securefl.cli.main import cli, main
from securefl.datasite.address import site_email
from securefl.errors import (
    NotApprovedError,
    RoundError,
    StoreError,
    StudyError,
    UnreadableError,
    UsageError,
)
from securefl.federation import coordinator as coordinator_module
from securefl.federation import paths
from securefl.federation.coordinator import Outcome
from securefl.federation.messages import End, Status
from securefl.federation.round_record import RoundRecord
from securefl.federation.status_board import end_of
from securefl.learning.stages.evaluate import EvaluateResult
from securefl.learning.stages.train import TrainResult
from securefl.learning.tasks import task_of
from securefl.locks import Lock
from securefl.node import decisions
from securefl.node.extract import publish_extract
from securefl.node.rotation import rotate_key
from securefl.report.quality import quality_words
from securefl.researcher import asking, results
from securefl.researcher.stopping import StoppedFromOutsideError
from securefl.study.counts import evaluation_of
from securefl.study.training import training_of

ME, OTHER, THIRD = NAMES


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


@pytest.fixture
def study(c, request):
    return c.new_study("r" + str(abs(hash(request.node.name)))[:12])


@pytest.fixture
def approved(c, study):
    for name in NAMES:
        c.approve(name, study)
    return study


def ended(c, study):
    return end_of(c.lab.folder.board, study.plan)


def outcome(study, counts=(20, 10, 5, 2, 1, 4, 9, 18)):
    theta = initial_weights(training_of(study.file).model, study.parameters - 1)
    record = RoundRecord(
        1, "update", "1" * 64, "2" * 64, dict.fromkeys(NAMES, "3" * 64), "4" * 64, 60000
    )
    bins = evaluation_of(study.file).bins
    histogram = np.array(counts[: 2 * bins], dtype=np.int64)
    evaluated = EvaluateResult(
        histogram, len(NAMES), evaluation_of(study.file), task_of(study.file.data)
    )
    return Outcome((TrainResult(theta), evaluated), (record,))


def coordinated(monkeypatch, run):
    class Fake:
        def __init__(self, plan, *_, **__):
            self.plan = plan

        def assemble(self, seconds):
            assert seconds == 2 * self.plan.study.schedule.round_deadline

        def run(self, watch):
            return run(watch)

    monkeypatch.setattr(coordinator_module, "Coordinator", Fake)


# --- making studies
# --------------------------------------------------------------------------------------------------


def test_a_study_names_parties_that_the_researcher_trusts(c):
    with pytest.raises(UsageError, match="Unknown is not in this researcher's list as hospital"):
        Study.new(c.lab, c.protocol, hospitals=[ME, "Unknown"], aggregator="sums")
    with pytest.raises(UsageError, match=f"{ME} is not in this researcher's list as aggregator"):
        Study.new(c.lab, c.protocol, hospitals=list(NAMES), aggregator=ME)


def test_a_study_whose_figures_contradict_each_other_is_not_made(c, tmp_path):
    file = tmp_path / "protocol.toml"
    file.write_text(
        c.protocol.read_text().replace('noise_multiplier = "2.0"', 'noise_multiplier = "1.0"')
    )
    with pytest.raises(StudyError, match="epsilon"):
        Study.new(c.lab, file, hospitals=list(NAMES), aggregator="sums")


def test_weights_are_the_studys_own(c):
    made = Study.new(
        c.lab,
        c.protocol,
        hospitals=list(NAMES),
        aggregator="sums",
        study_id="weighted",
        weights={ME: "1/2", OTHER: "1/4", THIRD: "1/4"},
        weight_source="Yearbook",
    )
    assert {p.name: str(p.weight) for p in made.file.participants} == {
        ME: "1/2",
        OTHER: "1/4",
        THIRD: "1/4",
    }


@pytest.mark.parametrize(
    ("weights", "source", "said"),
    [
        ({ME: "1/2", OTHER: "1/4", THIRD: "1/8"}, "Yearbook", r"1/2 \+ 1/4 \+ 1/8 = 7/8, not to 1"),
        ({ME: "0.3", OTHER: "0.3", THIRD: "0.3"}, "Yearbook", r"= 9/10, not to 1"),
        ({ME: "1/2", OTHER: "1/2"}, "Yearbook", f"No weight is given for {THIRD}"),
        ({ME: "1/3", OTHER: "1/3", THIRD: "1/3", "Nowhere": "1/3"}, "Yearbook", "given for Nowhere"),
        ({ME: "1/2", OTHER: "1/2", THIRD: "0"}, "Yearbook", "no weight"),
        ({ME: "3/2", OTHER: "-1/4", THIRD: "-1/4"}, "Yearbook", "no weight"),
        ({ME: "1/0", OTHER: "1/2", THIRD: "1/2"}, "Yearbook", "no weight"),
        ({ME: "1/2", OTHER: "1/4", THIRD: "1/4"}, None, "need their source"),
        (None, "Yearbook", "no weights are"),
    ],
)  # fmt: skip
def test_weights_add_up_to_exactly_one_and_have_a_source_or_are_refused_with_the_figures(
    c, weights, source, said
):
    with pytest.raises(UsageError, match=said):
        Study.new(
            c.lab,
            c.protocol,
            hospitals=list(NAMES),
            aggregator="sums",
            study_id="refused",
            weights=weights,
            weight_source=source,
        )


def test_weights_are_typed_on_the_command_line(c):
    new = [
        "study",
        "new",
        str(c.protocol),
        "--aggregator",
        "sums",
        "--id",
        "typed",
        "--researcher",
        str(c.lab.folder.path),
    ]
    hospitals = [word for name in NAMES for word in ("--hospital", name)]
    given = [
        "--weight",
        f"{ME}=0.5",
        "--weight",
        f"{OTHER}=1/4",
        "--weight",
        f"{THIRD}=1/4",
        "--weight-source",
        "Yearbook",
    ]
    assert CliRunner().invoke(cli, [*new, *hospitals, *given]).exit_code == 0
    made = c.lab.study("typed").file
    assert {p.name: str(p.weight) for p in made.participants} == {
        ME: "1/2",
        OTHER: "1/4",
        THIRD: "1/4",
    }
    assert {p.weight_source for p in made.participants} == {"Yearbook"}
    for wrong in (["--weight", "half"], ["--weight", f"{ME}=1/2", "--weight", f"{ME}=1/2"]):
        refused = CliRunner().invoke(cli, [*new, *hospitals, *wrong]).exception
        assert isinstance(refused, UsageError)


def test_a_study_whose_time_is_over_is_refused_at_check_new_and_request(c, study, monkeypatch):
    over = c.root / "over.toml"
    over.write_text(
        edited(
            c.protocol.read_text(),
            ("closes = 2999-01-01T00:00:00Z", "closes = 2026-01-02T00:00:00Z"),
        )
    )
    with pytest.raises(
        StudyError, match=r"line \d+.*until 2026-01-02 00:00 UTC, and it is"
    ) as refused:
        Study.new(c.lab, over, hospitals=list(NAMES), aggregator="sums", study_id="over")
    assert "later time" in refused.value.next_step
    found = CliRunner().invoke(cli, ["study", "check", str(over)]).exception
    assert isinstance(found, StudyError)
    assert "until 2026-01-02" in found.what

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2999, 1, 1, tzinfo=tz)

    monkeypatch.setattr("securefl.api.datetime", Later)
    with pytest.raises(StudyError, match="until 2999-01-01"):
        study.request()
    assert c.lab.folder.board.names(f"studies/{study.digest}") == []


def test_a_study_is_found_by_the_beginning_of_its_name(c, study):
    assert c.lab.study(study.name[:8]).digest == study.digest
    with pytest.raises(UsageError, match="No study fits"):
        c.lab.study("nothing-like-it")
    with pytest.raises(UsageError, match=r"\d+ studies fit"):
        c.lab.study("")


def test_a_folder_without_studies_has_none(tmp_path, c):
    from securefl.party.folder import PartyFolder

    PartyFolder.create(
        tmp_path / "r",
        name="r",
        role="researcher",
        legal_name="U",
        email="a@example.org",
        store=str(c.store_folder),
    )
    assert connect(tmp_path / "r").studies() == []
    with pytest.raises(UsageError):
        connect(tmp_path / "nowhere")


def test_a_study_of_another_version_is_left_out_and_named(c, study):
    old = c.lab.folder.path / "studies" / "an-old-one"
    old.mkdir()
    (old / "study.toml").write_text('schema = "securefl-study/1"\n')
    try:
        with pytest.warns(UserWarning, match=r"an-old-one is left out: .*version 1"):
            assert study.digest in {s.digest for s in c.lab.studies()}
        with pytest.warns(UserWarning, match="left out"):
            assert c.lab.study(study.name).digest == study.digest
    finally:
        shutil.rmtree(old)


def test_trusting_a_card_takes_bytes_or_a_file(tmp_path, c):
    from securefl.party.folder import PartyFolder

    lab = connect(
        PartyFolder.create(
            tmp_path / "r",
            name="r",
            role="researcher",
            legal_name="U",
            email="a@example.org",
            store=str(c.store_folder),
        ).path
    )
    card = c.root / ME / "keys" / "card.json"
    assert lab.trust(card).name == ME
    assert lab.trust(card.read_bytes()).name == ME


def test_the_same_protocol_makes_another_study_under_another_id_only(c):
    first = c.new_study("once")
    file = c.root / "once.toml"
    with pytest.raises(UsageError, match=f"{first.name} is made already") as again:
        Study.new(c.lab, file, hospitals=list(NAMES), aggregator="sums", study_id="once")
    assert "--id NAME" in again.value.next_step
    assert (
        Study.new(c.lab, file, hospitals=list(NAMES), aggregator="sums", study_id="twice").digest
        != first.digest
    )


def test_one_is_asked_that_is_in_ones_own_list(c):
    with pytest.raises(UsageError, match="NOPE is not in this researcher's list as hospital"):
        c.lab.ask(ME, "NOPE")


class Desk:
    """A datasite that remembers what it sent and fails at a chosen hospital."""

    def __init__(self, fails=()):
        self.sent, self.fails = [], set(fails)

    def sync(self):
        pass

    def was_sent(self, email, name):
        return (email, name) in self.sent

    def submit(self, email, name, files, keys):
        assert keys
        if email in self.fails:
            raise NotApprovedError("not a peer")
        self.sent.append((email, name))
        return f"me/{name}"


def desk_of(monkeypatch, fails=()):
    desk = Desk(fails)
    monkeypatch.setattr(asking, "open_datasite", lambda *_, **__: nullcontext(desk))
    return desk


def test_a_request_leaves_for_nobody_while_a_hospital_has_said_no_keys(c, study, monkeypatch):
    desk = desk_of(monkeypatch)
    monkeypatch.setattr(
        asking, "signed_fingerprint", lambda _s, card, _e: None if card.name == THIRD else "k"
    )
    with pytest.raises(
        NotApprovedError, match=f"The datasite of {THIRD} has not said.*Nothing was sent"
    ):
        study.request()
    assert desk.sent == []


def test_a_request_that_reached_some_is_completed_by_asking_again(c, study, monkeypatch):
    desk = desk_of(monkeypatch, fails={site_email(THIRD)})
    monkeypatch.setattr(asking, "signed_fingerprint", lambda *_: "k")
    with pytest.raises(NotApprovedError):
        study.request()
    desk.fails.clear()
    assert set(study.request()) == {THIRD}
    assert study.request() == {}
    assert [e for e, _ in desk.sent] == [site_email(n) for n in NAMES]


# --- what the store says
# ---------------------------------------------------------------------------------------------


def test_only_what_a_hospital_signed_for_this_digest_is_its_approval(c, study):
    other = c.new_study("other")
    c.approve(ME, other)
    store = c.lab.folder.board
    copied = store.read(paths.approval(other.digest, ME), 4096)
    for junk in (b"yes", b"", b" " * 10_000, copied):
        store.post(paths.approval(study.digest, ME), junk)
        assert study.status()[ME] == "waiting"
    c.approve(ME, study)
    assert study.status() == {ME: "approved", OTHER: "waiting", THIRD: "waiting"}


def test_only_what_a_hospital_signed_is_its_last_word(c, approved):
    store = c.lab.folder.board
    stranger = fixed_identity(ME, "hospital")
    for junk in (
        b"withdrawn",
        b" " * 10_000,
        Status(approved.digest, ME, 0, "withdrawn").dump(stranger.sign),
    ):
        store.post(paths.status(approved.digest, ME), junk)
        assert approved.status()[ME] == "approved"


def test_waiting_says_who_has_not_approved_yet(c, study):
    c.approve(ME, study)
    seen = []
    with pytest.raises(NotApprovedError, match=f"{OTHER}, {THIRD}") as waiting:
        study.wait(seconds=0.3, watch=seen.append)
    assert waiting.value.whose == f"{OTHER}, {THIRD}"
    assert seen == [{ME: "approved", OTHER: "waiting", THIRD: "waiting"}]


def test_a_researcher_learns_that_a_hospital_changed_its_keys_and_hears_its_no_under_the_new_ones(
    tmp_path,
):
    c = Consortium(tmp_path)
    study = c.new_study("before")
    old = c.site(ME).identity
    rotate_key(c.site(ME), "2026-11-24T12:00:00Z")
    site, found = c.review(ME, study)
    decisions.refuse(site, found, "names the old key")
    assert (
        study.status()[ME] == "waiting"
    )  # whose key signed that no, the researcher cannot know yet
    store, refusal = c.lab.folder.board, paths.status(study.digest, ME)
    assert store.read(refusal, 4096) is not None
    c.lab.trust(site.identity.signed_card())
    assert study.status() == {ME: "not-approved", OTHER: "waiting", THIRD: "waiting"}
    # without a word of the hospital, or with a stranger's
    for junk in (
        b"x",
        Status(study.digest, ME, 0, "withdrawn").dump(fixed_identity(ME, "hospital").sign),
    ):
        store.post(refusal, junk)
        assert study.status()[ME] == "new-keys"
    with pytest.raises(NotApprovedError, match=r"new-keys") as refused:
        study.wait(seconds=0)
    assert refused.value.whose == ME
    store.post(
        refusal, Status(study.digest, ME, 0, "withdrawn").dump(old.sign)
    )  # signed before the change
    assert study.status()[ME] == "withdrawn"
    # a study that is made with the new card hears the new key alone
    after = c.new_study("after")
    store.post(
        paths.status(after.digest, ME), Status(after.digest, ME, 0, "withdrawn").dump(old.sign)
    )
    assert after.status()[ME] == "waiting"
    site.ledger.close()


def test_waiting_ends_when_a_hospital_refuses(c, study):
    site, found = c.review(OTHER, study)
    decisions.refuse(site, found, "no")
    with pytest.raises(NotApprovedError, match=r"not-approved") as refused:
        study.wait(seconds=60)
    assert refused.value.whose == OTHER


def test_who_only_followed_is_not_asked_to_mend(c, approved):
    for name, code in ((ME, "round"), (OTHER, "data"), (THIRD, "round")):
        site = c.site(name)
        c.lab.folder.board.post(
            paths.status(approved.digest, name),
            Status(approved.digest, name, 0, code).dump(site.identity.sign),
        )
        site.ledger.close()
    for refused in (approved.wait, approved.report):
        with pytest.raises(
            NotApprovedError,
            match=rf"The study cannot run: {OTHER} \(data\)\. It is over for {ME}, {THIRD} too",
        ) as over:
            refused()
        assert over.value.whose == OTHER


def test_after_a_run_of_ones_own_nobody_else_is_named(c, approved, monkeypatch):
    coordinated(monkeypatch, stopped_by_hand)
    with pytest.raises(RoundError, match="stopped by hand"):
        approved.run()
    site = c.site(ME)
    c.lab.folder.board.post(
        paths.status(approved.digest, ME),
        Status(approved.digest, ME, 0, "round").dump(site.identity.sign),
    )
    site.ledger.close()
    with pytest.raises(UsageError, match="was run before") as over:
        approved.wait()
    assert over.value.whose == "the researcher"


def stopped_by_hand(_):
    raise KeyboardInterrupt


# --- running
# ---------------------------------------------------------------------------------------------------------


def test_nothing_runs_before_every_hospital_has_approved(c, study):
    c.approve(ME, study)
    with pytest.raises(NotApprovedError):
        study.run()
    assert not (study.folder / "run.lock").exists()  # it was not used up
    assert ended(c, study) is None


def test_a_model_that_is_there_already_is_named_before_anybody_waits(c, study):
    old = c.root / "an old model"
    old.mkdir(exist_ok=True)
    with pytest.raises(UsageError, match="never overwritten"):
        study.run(model_folder=old)
    result = CliRunner().invoke(
        cli,
        [
            "study",
            "run",
            study.name,
            "--wait",
            "600",
            "--out",
            str(old),
            "--researcher",
            str(c.lab.folder.path),
        ],
    )
    assert isinstance(result.exception, UsageError)
    assert f"--out models/{study.file.study.id}" in result.exception.next_step


def test_ctrl_c_during_a_run_exits_as_the_table_says(c, approved, monkeypatch, capsys):
    coordinated(monkeypatch, stopped_by_hand)
    monkeypatch.setattr(
        "sys.argv",
        [
            "securefl",
            "study",
            "run",
            approved.name,
            "--out",
            str(c.root / "never"),
            "--researcher",
            str(c.lab.folder.path),
        ],
    )
    with pytest.raises(SystemExit) as ended_with:
        main()
    assert ended_with.value.code == 130
    assert "stopped by hand" in capsys.readouterr().err


def test_ctrl_c_before_the_first_round_exits_so_too_and_nothing_has_begun(
    c, approved, monkeypatch, capsys
):
    def assemble(_self, _seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("securefl.federation.coordinator.Coordinator.assemble", assemble)
    words = ["study", "run", approved.name, "--out", str(c.root / "never")]
    with pytest.raises(SystemExit) as ended_with:
        main([*words, "--researcher", str(c.lab.folder.path)])
    assert ended_with.value.code == 130
    assert "Nothing was charged and nothing has begun" in capsys.readouterr().err


def test_a_failed_run_tells_everybody_and_runs_no_second_time(c, approved, monkeypatch):
    def late(watch):
        watch(outcome(approved).records[0])
        raise RoundError("Round 2 was not complete.", whose=ME)

    coordinated(monkeypatch, late)
    with pytest.raises(RoundError, match="Round 2"):
        approved.run()
    assert (ended(c, approved).outcome, ended(c, approved).rounds) == ("round", 1)
    with pytest.raises(UsageError, match="was run before"):
        approved.run()
    with pytest.raises(UsageError, match="did not come to its end: it has no result"):
        approved.report()


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), ZeroDivisionError("a fault of ours")], ids=["by hand", "fault"]
)
def test_a_run_that_stops_for_any_reason_tells_the_others(c, approved, monkeypatch, error):
    def stop(_):
        raise error

    coordinated(monkeypatch, stop)
    with pytest.raises(RoundError if isinstance(error, KeyboardInterrupt) else ZeroDivisionError):
        approved.run()
    assert ended(c, approved).outcome == "round"


def test_a_store_that_is_away_does_not_hide_why_the_run_failed(c, approved, monkeypatch):
    for waits in ("run_study", "delivery"):  # it need not be waited for here
        monkeypatch.setattr(f"securefl.researcher.{waits}.persist", lambda work, _seconds: work())

    def lost(_):
        def away(*_):
            raise StoreError("away")

        monkeypatch.setattr(CarriedBoard, "post", away)
        raise RoundError("Round 1 was not complete.", whose=ME)

    coordinated(monkeypatch, lost)
    with pytest.raises(RoundError, match="Round 1"):
        approved.run()


def test_the_status_after_a_dead_run_does_not_say_that_all_is_well(c, approved, monkeypatch):
    monkeypatch.setattr(Study, "pysyft_status", lambda _: dict.fromkeys(NAMES, "approved"))
    ask = ["study", "status", approved.name, "--researcher", str(c.lab.folder.path)]
    before = CliRunner().invoke(cli, ask).output
    assert "over" not in before
    assert approved.run_status() == ""
    coordinated(monkeypatch, stopped_by_hand)
    with pytest.raises(RoundError):
        approved.run()
    site = c.site(ME)
    c.lab.folder.board.post(
        paths.status(approved.digest, ME),
        Status(approved.digest, ME, 0, "data").dump(site.identity.sign),
    )
    site.ledger.close()
    after = CliRunner().invoke(cli, ask).output
    assert (
        f"ended early ({ME} ended its part, 'data', after 0 of {approved.plan.last_round} rounds)"
        in after
    )
    assert "its table does not fit the study" in after
    for name in (OTHER, THIRD):
        line = next(line for line in after.splitlines() if line.startswith(name))
        assert line.split(None, 1)[1] == "had approved; the study is over; its datasite: approved"
    said = json.loads(CliRunner().invoke(cli, [*ask, "--json", "-"]).output)
    assert "ended early" in said["run"]
    assert said["signed"][OTHER] == "approved"  # what was signed is what was signed


def test_the_status_names_each_way_in_which_a_run_stands(c, approved):
    lock = Lock(approved.folder / "run.lock")
    lock.take()
    try:
        assert approved.run_status() == "The study is running."
    finally:
        lock.release()
    assert "interrupted; `securefl study run` again goes on" in approved.run_status()
    c.lab.folder.board.post(
        paths.ending(approved.digest),
        End(approved.digest, "completed", 4).dump(c.lab.folder.identity.sign),
    )
    assert "interrupted" in approved.run_status()  # its result is not here yet
    (approved.folder / "result.json").touch()
    assert "ran to its end" in approved.run_status()


def test_what_only_shows_the_run_ends_nothing(c, approved, monkeypatch):
    def one_round(watch):
        for record in outcome(approved).records:
            watch(record)
        return outcome(approved)

    def broken(_):
        raise BrokenPipeError(32, "Broken pipe")

    coordinated(monkeypatch, one_round)
    monkeypatch.setattr(results, "_EXTRACT_SECONDS", 0)
    result = approved.run(watch=broken, warn=broken, model_folder=c.root / f"model-{approved.name}")
    assert result.folder.is_dir()
    log = (approved.folder / "run.log").read_text()
    assert log.count("BrokenPipeError") == 1
    assert ended(c, approved).outcome == "completed"


def completed(study):
    """A coordinator's whole run, told in one round."""

    def run(watch):
        made = outcome(study)
        watch(made.records[0])
        return made

    return run


class KilledError(BaseException):
    """As SIGKILL: no handler of the program's sees it."""


def test_who_looks_on_sees_the_rounds_and_the_end(c, approved, monkeypatch):
    where = ["--researcher", str(c.lab.folder.path)]
    look = ["study", "attach", approved.name, *where]
    early = CliRunner().invoke(cli, look)
    assert isinstance(early.exception, UsageError)
    assert f"securefl study run {approved.name} --researcher" in early.exception.next_step
    coordinated(monkeypatch, completed(approved))
    monkeypatch.setattr(results, "_EXTRACT_SECONDS", 0)
    approved.run(model_folder=c.root / f"model-{approved.name}")
    seen = CliRunner().invoke(cli, look)
    assert "received one sum" in seen.output
    assert "ran to its end" in seen.output


def test_who_looks_on_is_told_how_to_go_on_with_an_interrupted_run(c, approved):
    (approved.folder / "run.lock").touch()
    look = ["study", "attach", approved.name, "--researcher", str(c.lab.folder.path)]
    seen = CliRunner().invoke(cli, look)
    assert isinstance(seen.exception, RoundError)
    assert "`securefl study run` again goes on" in seen.exception.what


def test_a_run_that_was_killed_goes_on_at_the_next_try(c, approved, monkeypatch):
    (approved.folder / "run.lock").touch()
    assert "`securefl study run` again goes on" in approved.run_status()
    coordinated(monkeypatch, completed(approved))
    monkeypatch.setattr(results, "_EXTRACT_SECONDS", 0)
    approved.run(model_folder=c.root / f"model-{approved.name}")
    assert ended(c, approved).outcome == "completed"
    assert not (approved.folder / "run").exists()


def test_a_result_that_a_kill_swallowed_is_made_at_the_next_try(c, approved, monkeypatch):
    coordinated(monkeypatch, completed(approved))

    def killed(*_, **__):
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(results, "save_result", killed)
        with pytest.raises(KilledError):
            approved.run(model_folder=c.root / f"model-{approved.name}")
    assert ended(c, approved).outcome == "completed"
    assert not results.has_result(approved.folder)
    monkeypatch.setattr(results, "_EXTRACT_SECONDS", 0)
    approved.run(model_folder=c.root / f"model-{approved.name}")
    assert results.has_result(approved.folder)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (StoreError("The store is away."), StoreError),
        (OSError(28, "No space left on device", "run"), UnreadableError),
        (StoppedFromOutsideError(), RoundError),
    ],
    ids=["store", "disk", "terminated"],
)
def test_what_ends_a_run_and_not_its_study(c, approved, monkeypatch, error, raised):
    def stop(_):
        raise error

    coordinated(monkeypatch, stop)
    with pytest.raises(raised) as told:
        approved.run()
    assert "`securefl study run` again goes on from here" in told.value.next_step
    assert "wait for it for" in told.value.next_step
    assert ended(c, approved) is None
    coordinated(monkeypatch, completed(approved))
    monkeypatch.setattr(results, "_EXTRACT_SECONDS", 0)
    approved.run(model_folder=c.root / f"model-{approved.name}")
    assert ended(c, approved).outcome == "completed"


def test_a_second_run_beside_a_living_one_ends_nothing(c, approved):
    lock = Lock(approved.folder / "run.lock")
    lock.take()
    try:
        with pytest.raises(UsageError, match="is running in another process"):
            approved.run()
        assert ended(c, approved) is None
    finally:
        lock.release()


def test_a_completed_run_leaves_model_figures_and_extracts_and_looks_again_for_late_ones(
    c, approved, monkeypatch
):
    site = c.site(ME)
    publish_extract(site, approved.digest, approved.file)
    c.lab.folder.board.post(paths.extract(approved.digest, OTHER), b"junk of the store's operator")
    coordinated(
        monkeypatch, lambda watch: (watch(outcome(approved).records[0]), outcome(approved))[1]
    )
    monkeypatch.setattr(results, "_EXTRACT_SECONDS", 0)
    result = approved.run(model_folder=c.root / "model")
    assert set(result.extracts) == {ME}
    assert ended(c, approved).outcome == "completed"
    assert approved.report()["digest"] == approved.digest
    assert load_model(c.root / "model").theta.shape == (approved.parameters,)
    publish_extract(c.site(OTHER), approved.digest, approved.file)
    assert set(approved.report()["extracts"]) == {ME, OTHER}
    assert set(json.loads((approved.folder / "result.json").read_text())["extracts"]) == {ME, OTHER}
    lines = (approved.folder / "rounds.jsonl").read_text().splitlines()
    assert [json.loads(line)["round"] for line in lines] == [1]


CLEAR = [9000, 2000, 500, 100, 100, 400, 900, 3000]  # an AUC of about .96


@pytest.mark.parametrize(
    ("histogram", "minimum", "verdict", "code"),
    [
        (CLEAR, "0.9", "met", 0),
        (CLEAR, "0.99", "not-met", 12),
        (CLEAR, "0.97", "cannot-be-judged", 12),
        ([20, 10, 5, 2, 1, 1, 2, 3], "0.5", "cannot-be-judged", 12),
    ],
)
def test_a_quality_rule_that_is_not_met_is_told_everywhere(
    c, monkeypatch, histogram, minimum, verdict, code
):
    study = c.new_study(f"q{verdict[:3]}{minimum[2:]}", ('minimum = "0"', f'minimum = "{minimum}"'))
    for name in NAMES:
        c.approve(name, study)
    monkeypatch.setattr(results, "_EXTRACT_SECONDS", 0)
    coordinated(
        monkeypatch,
        lambda _: outcome(study, histogram),
    )
    model, folder = c.root / study.name, ["--researcher", str(c.lab.folder.path)]
    page = c.root / f"{study.name}.html"
    given = ["--out", str(model), "--html", str(page), *folder]
    done = CliRunner().invoke(cli, ["study", "run", study.name, *given])
    assert done.exit_code == code
    words = quality_words(verdict, Decimal(minimum))
    assert words in " ".join(done.output.split())
    assert words in page.read_text("utf-8")
    assert "What each hospital's own ledger says" in html.unescape(page.read_text("utf-8"))
    assert ended(c, study).quality == verdict
    assert words in (model / "model_card.md").read_text()
    found = json.loads((study.folder / "result.json").read_text())
    assert found["quality"] == {"verdict": verdict, "minimum": minimum}
    assert list(found["evaluation"])[:3] == ["low", "high", "auc"]
    assert (found["evaluation"]["auc"] is None) == (histogram is not CLEAR)
    again = CliRunner().invoke(cli, ["study", "report", study.name, *folder])
    assert words in again.output
    whole = c.root / f"{study.name}-whole.html"
    CliRunner().invoke(cli, ["study", "report", study.name, "--html", str(whole), *folder])
    told = html.unescape(whole.read_text("utf-8"))
    assert "Who took part" in told
    assert study.digest in told
    assert words in told


def test_a_result_is_not_lost_when_the_store_does_not_take_the_end(c, approved, monkeypatch):
    for waits in ("run_study", "delivery"):  # it need not be waited for here
        monkeypatch.setattr(f"securefl.researcher.{waits}.persist", lambda work, _seconds: work())

    def away(*_):
        raise StoreError("away")

    coordinated(
        monkeypatch,
        lambda _: (monkeypatch.setattr(CarriedBoard, "post", away), outcome(approved))[1],
    )
    monkeypatch.setattr(results, "_EXTRACT_SECONDS", 0)
    assert approved.run(model_folder=c.root / "model-2").model


def test_a_model_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(UnreadableError):
        load_model(tmp_path)
