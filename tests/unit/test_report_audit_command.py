"""``securefl audit`` as it is typed: what it writes where, and how it ends."""

import json
import sqlite3
import subprocess
import sys

import pytest
from ledger_after_a_year import Hospital, checked, year

from securefl.cli.main import main


@pytest.fixture
def hospital(tmp_path):
    return year(tmp_path / "site")


@pytest.fixture
def type_in(monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["securefl", "audit", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, " ".join(out.split()), " ".join(err.replace("│", " ").split())

    return run


def test_an_intact_ledger_ends_with_0_and_all_three_forms_agree(hospital, tmp_path, type_in):
    code, out, _ = type_in(
        "--site", hospital.folder, "--html", tmp_path / "a.html", "--json", tmp_path / "a.json"
    )
    report, page = json.loads((tmp_path / "a.json").read_text()), (tmp_path / "a.html").read_text()
    assert code == 0
    assert checked(report) == []
    assert report["verified"] is True
    assert report["head"] in page
    assert f"Verified: {report['events']} events" in out
    assert "The page is" in out
    for text in (out, page.replace("\u00a0", " ")):
        assert "40 % of the budget used" in text
        assert "took back the rest" in text
        assert "ward moves" in text
        assert "genome-1-" in text


def test_an_altered_ledger_ends_with_3_and_is_shown_as_far_as_it_holds(hospital, tmp_path, type_in):
    hospital.alter(30)
    code, out, _ = type_in(
        "--site", hospital.folder, "--html", tmp_path / "a.html", "--json", tmp_path / "a.json"
    )
    report, page = json.loads((tmp_path / "a.json").read_text()), (tmp_path / "a.html").read_text()
    assert code == 3
    assert (report["verified"], report["events"]) == (False, 29)
    assert report["fault"] == "Event 30 of the ledger: its text is not what was signed."
    assert report["next_step"].startswith("Stop this hospital's agent")
    assert report["fault"] in page
    assert report["next_step"].replace("'", "&#x27;") in page
    assert "NOT VERIFIED" in out
    assert report["fault"] in out
    assert report["next_step"] in out


@pytest.mark.parametrize(
    "change",
    [
        "no file",
        "no database",
        "another database",
        "cut off",
        "no right to read it",
        "no card",
        "no card at all",
    ],
)
def test_what_cannot_be_read_ends_with_4_and_a_next_step(change, hospital, type_in):
    ledger, card = hospital.folder / "ledger.sqlite", hospital.folder / "keys" / "card.json"
    hospital.ledger.close()
    if change == "no file":
        ledger.unlink()
    elif change == "no database":
        ledger.write_bytes(b"no ledger" * 1000)
    elif change == "another database":
        ledger.unlink()
        sqlite3.connect(ledger).execute("CREATE TABLE event (seq)")
    elif change == "cut off":
        ledger.write_bytes(ledger.read_bytes()[:6000])
    elif (
        change == "no right to read it"
    ):  # root may read everything: a folder stands in for a file that cannot be opened
        ledger.unlink()
        ledger.mkdir()
    elif change == "no card":
        card.write_bytes(b"{}")
    else:
        card.unlink()
    code, out, err = type_in("--site", hospital.folder)
    assert (code, out) == (4, "")
    assert "Next" in err


@pytest.mark.parametrize("change", ["missing", "broken"])
def test_a_ledger_that_is_gone_is_not_mended_by_any_old_copy(change, hospital, type_in):
    ledger = hospital.folder / "ledger.sqlite"
    hospital.ledger.close()
    ledger.unlink() if change == "missing" else ledger.write_bytes(b"no ledger" * 1000)
    code, _, err = type_in("--site", hospital.folder)
    words = " ".join(err.replace("│", " ").split())
    assert code == 4
    for part in (
        "Put the newest copy of the ledger back",
        "compared with what the partners hold",
        "securefl audit --verify --checkpoint FILE",
        "securefl site checkpoint",
    ):
        assert part in words


def test_a_folder_that_is_no_hospitals_is_a_wrong_use(tmp_path, type_in):
    code, out, err = type_in("--site", tmp_path)
    assert (code, out) == (2, "")
    assert "it is not a hospital's folder" in " ".join(err.split())


def test_a_ledger_that_another_program_holds_cannot_be_read_either(hospital, type_in, monkeypatch):
    monkeypatch.setattr("securefl.privacy.ledger_file.BUSY_MS", 10)
    hospital.ledger.close()
    holder = sqlite3.connect(hospital.folder / "ledger.sqlite", isolation_level=None)
    holder.execute("PRAGMA journal_mode=DELETE")
    holder.execute("BEGIN EXCLUSIVE")
    code, _, err = type_in("--site", hospital.folder)
    holder.close()
    assert code == 4
    assert "cannot be read" in err


def test_a_checkpoint_of_the_ledgers_past_holds(hospital, tmp_path, type_in):
    (tmp_path / "held").write_bytes(hospital.ledger.checkpoint())
    hospital.refuse("later")
    code, _, _ = type_in(
        "--site", hospital.folder, "--checkpoint", tmp_path / "held", "--html", tmp_path / "a.html"
    )
    assert code == 0
    assert (
        "It contains the past that a checkpoint held elsewhere knows"
        in (tmp_path / "a.html").read_text()
    )


def test_a_cut_end_is_found_with_a_checkpoint_and_not_without(hospital, tmp_path, type_in):
    (tmp_path / "held").write_bytes(hospital.ledger.checkpoint())
    size = hospital.ledger.size
    hospital.ledger.close()
    with sqlite3.connect(hospital.folder / "ledger.sqlite") as file:
        file.execute("DELETE FROM event WHERE seq = ?", (size,))
    # The last event was the change of key; without it the old key is the one that signs, and the
    # new card does not fit.
    assert type_in("--site", hospital.folder)[0] == 3
    plain = Hospital(tmp_path / "plain")
    plain.grant("referrals", 3)
    (tmp_path / "held").write_bytes(plain.ledger.checkpoint())
    plain.ledger.close()
    with sqlite3.connect(plain.folder / "ledger.sqlite") as file:
        file.execute("DELETE FROM event WHERE seq = 2")
    code, out, _ = type_in(
        "--site", plain.folder, "--verify"
    )  # the witness beside the ledger knows it
    assert (code, "ledger.sqlite.head beside it knows 2 events" in out) == (3, True)
    (plain.folder / "ledger.sqlite.head").unlink()
    assert type_in("--site", plain.folder)[0] == 0
    code, out, _ = type_in("--site", plain.folder, "--checkpoint", tmp_path / "held")
    assert code == 3
    assert "a checkpoint held elsewhere knows 2 events" in out


def test_a_checkpoint_that_is_none_of_this_hospital_is_refused(hospital, tmp_path, type_in):
    assert type_in("--site", hospital.folder, "--checkpoint", tmp_path / "nowhere")[0] == 4
    (tmp_path / "others").write_bytes(Hospital(tmp_path / "other").ledger.checkpoint())
    code, out, _ = type_in("--site", hospital.folder, "--checkpoint", tmp_path / "others")
    assert (code, out) == (4, "")


@pytest.mark.parametrize(
    ("time", "studies"),
    [
        ("2026-02-25", 2),
        ("2026-02-25T00:00:00Z", 2),
        ("2026-02-25T02:00+02:00", 2),
        ("2026-01-01", 5),
        ("2026-12-31", 0),
    ],
)
def test_since_takes_days_and_times_in_any_zone(time, studies, hospital, tmp_path, type_in):
    code, _, _ = type_in("--site", hospital.folder, "--since", time, "--json", tmp_path / "a.json")
    report = json.loads((tmp_path / "a.json").read_text())
    assert code == 0
    assert sum(len(d["studies"]) for d in report["datasets"]) == studies
    assert report["populations"][0]["share_used"] == 0.3987


def test_a_time_that_is_none_is_a_wrong_use(hospital, type_in):
    code, out, err = type_in("--site", hospital.folder, "--since", "yesterday")
    assert (code, out) == (2, "")
    assert "is not a time" in err


def test_a_place_that_cannot_be_written_is_a_wrong_use(hospital, tmp_path, type_in):
    assert type_in("--site", hospital.folder, "--html", tmp_path / "no" / "a.html")[0] == 2
    assert type_in("--site", hospital.folder, "--json", tmp_path / "no" / "a.json")[0] == 2


def test_json_to_the_screen_is_nothing_but_json(hospital, tmp_path, type_in):
    _, out, _ = type_in("--site", hospital.folder, "--json", "-", "--html", tmp_path / "a.html")
    assert checked(json.loads(out)) == []
    assert (tmp_path / "a.html").exists()


@pytest.mark.parametrize("page", [False, True], ids=["terminal", "html"])
def test_the_audit_loads_no_framework(page, hospital, tmp_path):
    """Nor Jinja2, where no HTML is asked for."""
    html = ["--html", str(tmp_path / "a.html")] if page else []
    arguments = ["--site", str(hospital.folder), "--json", str(tmp_path / "a.json"), *html]
    unwanted = ("torch", "opacus", "syft", "tenseal", "pandas", "sklearn", "jinja2")[
        : 6 if page else 7
    ]
    code = (
        "import sys; from securefl.cli.main import main\n"
        f"sys.argv = ['securefl', 'audit', *{arguments}]\n"
        f"main()\nprint([m for m in {unwanted} if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
