"""Three hospitals, an aggregator and a researcher in processes of their own: a study from request
to result, and its refusals.
"""

import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from consortium import NAMES, RARE, children, consortium

from securefl.cli.main import cli
from securefl.errors import NotApprovedError, UsageError
from securefl.federation import paths
from securefl.federation.messages import Status
from securefl.node import decisions
from securefl.node.leaving import COUNTS
from securefl.node.mappings import keep_mapping
from securefl.party.events import EVENTS, read_events
from securefl.privacy.ledger import read_ledger
from securefl.researcher.run_events import run_now
from securefl.study.table_mapping import read_mapping

#: What agents and workers load is looked at, and the whole way is gone once as in a hospital.
pytestmark = [pytest.mark.real_start, pytest.mark.slow]

ME, OTHER, THIRD = NAMES
GERMAN = """
schema = "securefl-mapping/1"
[columns.sex]
from = "Geschlecht"
values = {"männlich" = "M", "weiblich" = "F"}
""".encode()


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    # one worker trains as in a real run; three of them would say no more about rounds
    with consortium(tmp_path_factory.mktemp("consortium"), real_workers=(ME,)) as made:
        table = made.table(ME)
        lines = table.read_text().splitlines()
        lines[1] = re.sub(r"^([^,]*),[^,]*", r"\1,NaN", lines[1])  # an age that is not a number
        lines[2] = re.sub(r"^([^,]*),[^,]*", r"\1,65526", lines[2])
        text = "\n".join(lines) + "\n"
        # its own words: without the mapping this table has no column that studies ask for
        text = text.replace(",sex,", ",Geschlecht,", 1)
        text = text.replace(",M,", ",männlich,").replace(",F,", ",weiblich,")
        table.write_text(text, "utf-8")
        site = made.site(ME)
        keep_mapping(site, "records", read_mapping(GERMAN))
        site.ledger.close()
        yield made


def test_a_study_counts_its_patients_first_and_pays_for_it(c):
    section = (
        '[[stages]]\nkind = "count"\nnoise_multiplier = "18.54"\nepsilon = "0.174"\nbound = 20000\nminimum ='
        ' 0\n\n[[stages]]\nkind = "train"'
    )
    # with two bins an update is the longest list, though it is not the first
    study = c.new_study(
        "counts",
        ('[[stages]]\nkind = "train"', section),
        ('edges = ["0.1", "0.3", "0.5"]', 'edges = ["0.5"]'),
    )
    c.ready(study)
    (worker,) = c.workers(ME)
    assert b"\0-I\0-m\0securefl.node.worker\0" in Path(f"/proc/{worker}/cmdline").read_bytes()
    seen, loaded = [], []

    def watch(record):
        seen.append(record)
        loaded.extend(c.loaded(name) for name in NAMES)

    result = c.run(study, watch)
    # what the owner approved is not worked out again when it begins: no accountant
    assert all("/numpy/" in libraries and "/scipy/" not in libraries for libraries in loaded[:3])
    assert [(r.round, r.kind) for r in seen] == [
        (1, "preparation"),
        (2, "update"),
        (3, "update"),
        (4, "update"),
        (5, "evaluation"),
    ]
    train = sum(
        json.loads((c.root / name / "studies" / study.digest / COUNTS).read_bytes())["training"]
        for name in NAMES
    )
    counted = result.outcome.results[0].counted
    assert abs(counted.patients - train) < 8 * counted.noise_sd
    assert study.report()["stages"][0] == {"kind": "count", **asdict(counted)}
    assert [study.verify(number).transcript.kind for number in range(1, 6)] == [
        r.kind for r in seen
    ]
    c.ended(study, *NAMES, status="completed")
    for name in NAMES:
        assert [r["kind"] for r in result.extracts[name]["releases"]] == [
            "preparation",
            *["update"] * 3,
            "evaluation",
        ]
        assert [p.purpose for p in c.state(name, study).reservation.parts] == [
            "preparation",
            "update",
            "evaluation",
        ]


def test_a_study_from_mock_data_to_model_and_audit(c):
    mock = c.lab.datasets()[0].mock()
    assert list(mock.columns) == ["patient_id", "age", "TSH", "sex", "sick", "target"]
    study = c.new_study("whole")
    c.request(study)
    assert study.status() == dict.fromkeys(NAMES, "waiting")
    assert all(not c.workers(name) for name in NAMES)
    c.until(
        lambda: all(
            "Approving in PySyft alone runs nothing" in s for s in study.pysyft_status().values()
        ),
        "PySyft's note",
    )
    for name in NAMES:
        c.approve(name, study)
    assert study.status() == dict.fromkeys(NAMES, "approved")
    seen = []
    result = c.run(study, seen.append)

    # what the researcher has: sums, and in the end an extract of each audit
    assert [(r.round, r.kind) for r in seen] == [
        (1, "update"),
        (2, "update"),
        (3, "update"),
        (4, "evaluation"),
    ]
    assert set(result.extracts) == set(NAMES)
    scores = result.model.predict(mock)
    usable = ~np.isnan(scores)
    assert usable.sum() > 0
    assert ((scores[usable] >= 0) & (scores[usable] <= 1)).all()
    told = result.evaluation
    assert told.auc is None if told.low <= 0.5 <= told.high else told.low <= told.auc <= told.high
    assert result.quality == "met"  # nothing is asked for

    # what each hospital has: a settled study, the hash of one contribution a round, the one that
    # the store has, and no key any more
    c.ended(study, *NAMES, status="completed")
    for name in NAMES:
        site = c.site(name)
        sent = site.ledger.state.study(study.digest).sent
        assert len(sent) == 4
        for number in range(1, 5):
            left = (c.in_round(study, number) / "contributions" / name).read_bytes()
            assert (
                sent[number, "evaluation" if number == 4 else "update"].sha256
                == hashlib.sha256(left).hexdigest()
            )
        c.until(
            lambda n=name: c.contributions(n, study) == [], "the kept contributions being removed"
        )
        assert not (site.keys / "studies" / f"{study.digest}.key").exists()
        assert read_ledger(site.ledger_path, site.identity.card.verify).require()
        c.until(lambda n=name: not c.workers(n), "the end of the worker")
        site.ledger.close()
        assert "that the study asks for" not in c.log(name)  # its least figure asks for nothing

    # rows that do not fit are set aside, and only the owner is told
    assert "set aside: 1 rows, age: outside 0 to 120" in c.log(ME)
    assert "set aside: 1 rows, age: not recorded" in c.log(ME)
    assert "78 of 80 rows used" in c.log(ME)
    assert not any(b"set aside" in data for data in c.objects().values())
    patients = [line.split(",")[0] for line in c.table(ME).read_text().splitlines()[1:]]
    planted = ("65526", *(f'"{patient}"' for patient in patients))
    said = {name: (c.root / name / EVENTS).read_text("utf-8") for name in NAMES}
    kept = [e.event for e in read_events(c.root / ME / EVENTS) if e.study == study.digest]
    assert kept[0] == "approved"
    assert kept.count("answered") == 4
    assert kept[-1] == "ended"
    metrics = CliRunner().invoke(cli, ["site", "metrics", "--site", str(c.root / ME)]).output
    assert f'securefl_study_answered{{site="{ME}",study="{study.name}"}} 4' in metrics
    for text in (*said.values(), (study.folder / EVENTS).read_text("utf-8"), metrics):
        assert not [value for value in planted if value in text]
    # the control: what is looked for stands in the table
    assert "65526" in c.table(ME).read_text()
    run = run_now(read_events(study.folder / EVENTS))
    assert (run.state, run.code, run.done) == ("ended", "completed", 4)
    with pytest.raises(UsageError, match="was run before"):
        study.run(model_folder=c.root / "another-model")


def test_no_agent_has_loaded_torch(c):
    for name in NAMES:
        assert "libtorch" not in c.loaded(name)


def test_a_completed_study_does_not_run_again_after_a_restart_or_a_copied_approval(c):
    study = next(s for s in c.lab.studies() if s.name.startswith("whole"))
    before = c.objects()
    size = c.site(ME).ledger.size
    c.end(ME)
    c.start(ME)
    again = c.new_study("again")
    c.request(again)
    for name in NAMES:  # the approvals of one study, in the place of another's
        old = c.site(name).board.read(paths.approval(study.digest, name), 1 << 16)
        c.site(name).board.post(paths.approval(again.digest, name), old)
    c.approve(ME, again)
    c.until(lambda: f"waiting for {OTHER}" in c.log(ME), "the refusal of a copied approval")
    assert c.status(ME, again) == "approved"
    assert c.status(OTHER, again) is None
    assert not c.state(ME, again).started
    decisions.withdraw(c.site(ME), again.digest, "")
    assert c.status(ME, study) == "completed"
    assert (
        c.site(ME).ledger.size == size + 3
    )  # approval, reservation, withdrawal: nothing of the old study
    root = f"studies/{study.digest}"
    assert {k: v for k, v in c.objects().items() if k.startswith(root)} == {
        k: v for k, v in before.items() if k.startswith(root)
    }


def test_an_unapproved_study_never_touches_data(c):
    study = c.new_study("refused")
    c.request(study)
    c.approve(ME, study)
    c.approve(OTHER, study)
    with pytest.raises(NotApprovedError, match=THIRD):
        c.run(study)
    c.until(
        lambda: c.waits_for(ME, study) == "the other hospitals' approvals",
        "the wait of those who approved",
    )
    assert c.workers(ME) == c.workers(THIRD) == []
    assert c.status(THIRD, study) is None
    site, found = c.review(THIRD, study)
    decisions.refuse(site, found, "not our question")
    c.ended(study, ME, OTHER)
    for name in (ME, OTHER):
        assert not c.state(name, study).started
        assert c.state(name, study).charged == 0
        assert "does not take part" in c.log(name)
    assert not (c.root / THIRD / "studies" / study.digest / "contributions").exists()
    with pytest.raises(NotApprovedError, match=f"{THIRD} .not-approved"):
        study.wait(seconds=120)
    c.until(lambda: study.pysyft_status()[THIRD].startswith("rejected"), "PySyft's state")


def test_a_request_that_is_sent_again_with_an_edit_is_another_study_and_waits(c):
    study = c.new_study("edited")
    c.request(study)
    c.approve(ME, study)
    edited = c.new_study("edited", ("Shows the parts.", "Shows other parts."))
    assert edited.digest != study.digest
    c.request(edited)
    rows = c.cli("site", "inbox", "--site", str(c.root / ME))
    assert re.search(rf"{study.name}\s+approved", rows)
    assert re.search(rf"{edited.name}\s+waiting", rows)
    assert edited.status()[ME] == "waiting"
    decisions.withdraw(c.site(ME), study.digest, "")


def test_a_study_that_was_edited_on_the_hospitals_disk_after_its_approval_does_not_run(c):
    study = c.new_study("tampered")
    c.request(study)
    c.end(ME)
    c.approve(ME, study)
    file = c.root / ME / "studies" / study.digest / "study.toml"
    kept = file.read_bytes()
    edited = kept.replace(b"bits = 16\n", b"bits = 17\n")
    assert edited != kept
    file.write_bytes(edited)
    c.start(ME)
    c.ended(study, ME)
    assert "is not the study that was kept" in c.log(ME)
    c.until(
        lambda: study.status()[ME] == "unreadable",
        "the code, which is said after the ledger has settled",
    )
    assert not c.state(ME, study).started


def test_a_table_that_lost_its_columns_is_named_to_its_owner_only(c):
    study = c.new_study("columns")
    c.request(study)
    table = c.table(OTHER)
    good = table.read_bytes()
    table.write_bytes(
        good.replace(b"TSH", b"alias_of_Mrs_Miller", 1).replace(b"sick", b"alias_of_Mrs_Miller", 1)
    )
    for name in (ME, THIRD):
        c.approve(name, study)
    site, found = c.review(OTHER, study)
    assert [f.code for f in found.faults] == ["data"]
    table.write_bytes(good)
    c.end(OTHER)
    c.approve(OTHER, study)
    table.write_bytes(
        good.replace(b"TSH", b"alias_of_Mrs_Miller", 1).replace(b"sick", b"alias_of_Mrs_Miller", 1)
    )
    c.start(OTHER)
    c.ended(study, OTHER)
    table.write_bytes(good)
    assert "names a column twice: alias_of_Mrs_Miller" in c.log(OTHER)
    where = paths.status(study.digest, OTHER)
    c.until(lambda: where in c.objects(), "the code, which is said after the ledger has settled")
    said = Status.open(
        c.objects()[where],
        study=study.digest,
        site=OTHER,
        verify=c.site(OTHER).identity.card.verify,
    )
    assert said.code == "data"
    assert not any(b"Miller" in data for data in c.objects().values())
    assert not c.state(OTHER, study).started
    c.ended(study, ME, THIRD)  # nobody ran it: they learn from the signed code
    site.ledger.close()
    with pytest.raises(NotApprovedError, match=f"{OTHER} .data"):
        study.wait(seconds=120)


def test_empty_batches_are_noise_alone_and_a_pause_only_delays(c):
    study = c.new_study("rare", ('reply_after = "0.2"', 'reply_after = "3"'), base=RARE)
    c.ready(study)
    owner = c.site(ME)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(c.run, study)
        c.until((c.in_round(study, 1) / "contributions" / ME).exists, "the first contribution")
        c.cli("site", "pause", "--site", str(c.root / ME))
        assert owner.ledger.state.paused
        held = {
            p.name
            for p in (c.root / "store" / "studies" / study.digest / "rounds").iterdir()
            if (p / "contributions" / ME).exists()
        }
        c.until(
            lambda: any(
                (p / "contributions" / OTHER).exists() and not (p / "contributions" / ME).exists()
                for p in c.in_round(study, 1).parent.iterdir()
            ),
            "the others' contributions",
        )
        now = {
            p.name
            for p in (c.root / "store" / "studies" / study.digest / "rounds").iterdir()
            if (p / "contributions" / ME).exists()
        }
        assert now == held
        assert not run.done()
        c.cli("site", "pause", "--resume", "--site", str(c.root / ME))
        result = run.result(timeout=60)
    assert len(result.outcome.records) == 4
    c.ended(study, *NAMES, status="completed")


def test_junk_in_the_place_of_a_round_is_nobodys_word_and_the_study_goes_on(c):
    study = c.new_study("junk")
    c.ready(study)
    at = paths.RoundPaths(study.digest, 1)
    for path in (at.key, at.model):
        c.lab.folder.board.post(path, b"junk")
    c.lab.folder.board.post(at.announcement, b"securefl-signed/1 " + b"0" * 128 + b"\n{}")
    assert c.run(study).evaluation
    c.ended(study, *NAMES, status="completed")


def test_at_the_end_nothing_runs_but_the_agents(c):
    for name in NAMES:
        assert c.alive(name)
        c.until(lambda n=name: not children(c._processes[n].pid), "the end of every worker")
