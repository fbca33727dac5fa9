"""An agent finds the recalls of its models by one listing, keeps them, and tells its owner once."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from recalling_hospitals import AT, NAME, STUDY, WHY, Hospitals

from securefl.boards.folder import FolderCarrier
from securefl.cli.main import cli
from securefl.errors import NotApprovedError, StoreError, UsageError
from securefl.node.notices.notice_desk import NoticeDesk, tell
from securefl.node.notices.notice_events import notice_events
from securefl.node.notices.notice_outbox import told_keys
from securefl.node.notices.notice_settings import keep_notice_settings, read_notice_settings
from securefl.node.owner.model_lines import models_in_use
from securefl.node.owner.models import plan_recall, recall, score_rows
from securefl.node.recalled_models import recalled_models
from securefl.party.outbox import deliver, waits
from securefl.sources.source import GivenReading

DAY = timedelta(hours=24)
SETTINGS = b'schema = "securefl-notices/1"\n[command]\nrun = ["/usr/bin/true"]\n'


@pytest.fixture
def those(tmp_path):
    made = Hospitals(tmp_path)
    yield made
    made.close()


def recalled(those, name):
    site = those.sites[name]
    return recall(site, plan_recall(site, "small", WHY), AT)


def test_a_recall_reaches_every_hospital_through_the_store(those, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("age,TSH,sex,sick\n30,1,F,f\n")
    assert recalled(those, "Nord").posted
    those.turn()
    assert [those.recalled_at(name) for name in those.names] == [["Nord"]] * 3
    west = those.sites["West"]
    found = score_rows(west, "small", rows, GivenReading())
    assert found.notices == (f"Recalled by Nord on 2026-05-30: {WHY}",)
    recalled(those, "Mitte")
    those.turn()
    with pytest.raises(NotApprovedError, match="changed its scale"):
        score_rows(west, "small", rows, GivenReading())
    (used,) = models_in_use(west)
    assert used.version.state == "recalled"
    assert sum("recalled the model in" in line for line in those.lines) == 4


def test_a_recall_that_was_there_before_the_model_came_is_found(those):
    folder = those.folder("West")
    folder.rename(folder.with_name("elsewhere"))
    recalled(those, "Nord")
    those.turn()
    folder.with_name("elsewhere").rename(folder)
    those.turn()
    assert those.recalled_at("West") == ["Nord"]


def test_a_store_that_is_away_costs_no_recall(those, monkeypatch):
    def away(*_):
        raise OSError("no route to host")

    nord = those.sites["Nord"]
    with monkeypatch.context() as during:
        during.setattr(FolderCarrier, "write", away)
        assert not recalled(those, "Nord").posted
        assert waits(nord, f"recalls/{STUDY}.Nord")
        during.setattr(FolderCarrier, "names", away)
        with pytest.raises(StoreError):
            those.turn()
    deliver(nord)
    those.turn()
    assert those.recalled_at("West") == ["Nord"]


def test_recalls_of_others_are_listed_once_a_minute_and_of_no_model_never(those, monkeypatch):
    listed = []
    act = FolderCarrier.names
    monkeypatch.setattr(
        FolderCarrier, "names", lambda self, folder: listed.append(folder) or act(self, folder)
    )
    for _ in range(3600):
        those.turn(1.0)
    listed.clear()
    for _ in range(600):
        those.turn(1.0)
    assert len(listed) <= 11 * len(those.names)
    for name in those.names:
        those.folder(name).rename(those.sites[name].path / "away")
    listed.clear()
    those.turn()
    assert listed == []


def test_a_notice_is_read_once(those, monkeypatch):
    recalled(those, "Nord")
    those.slot("Mitte").post(b"rubbish")
    those.turn()
    opened = []
    act = FolderCarrier.open
    monkeypatch.setattr(
        FolderCarrier, "open", lambda self, path, most: opened.append(path) or act(self, path, most)
    )
    for _ in range(5):
        those.turn()
    assert [path for path in opened if path.startswith("recalls")] == []


def test_the_owner_is_told_once_and_not_of_the_own_recall(those):
    west = those.sites["West"]
    keep_notice_settings(west, read_notice_settings(SETTINGS))
    desk = NoticeDesk(west, those.lines.append, lambda: those.now)
    desk.turn(west)
    recalled(those, "Nord")
    recalled(those, "West")
    those.turn()
    desk.turn(west)
    assert {key for key in told_keys(west) if key.startswith("recall")} == {f"recall:{STUDY}:Nord"}
    out = [json.loads(file.read_bytes()) for file in (west.path / "notices" / "out").iterdir()]
    assert [(one["notice"]["kind"], one["notice"]["about"]) for one in out] == [("recall", NAME)]
    assert tell(west, read_notice_settings(SETTINGS)) == 0


def test_a_notice_holds_no_word_of_the_hospital_that_recalled(those):
    recalled(those, "Nord")
    those.turn()
    west = those.sites["West"]
    now = datetime(2026, 6, 1, tzinfo=UTC)
    events = notice_events(west.ledger.state, (), now, DAY, recalled_models(west))
    assert [event.about for event in events] == [NAME]


# --- the command


def typed(those, *words):
    folder = str(those.sites["Nord"].path)
    command = ["site", "model", "recall", "small", *words, "--site", folder]
    return CliRunner().invoke(cli, command, env={"COLUMNS": "200"})


def test_the_command_shows_what_it_does_and_signs_after_a_yes_alone(those):
    asked = typed(those, "--reason", WHY)
    assert isinstance(asked.exception, UsageError)
    for words in (WHY, "With yours 1 of 3 hospitals recall it", "keep a notice back", "taken back"):
        assert words in asked.output
    assert those.slot("Nord").read() is None
    done = typed(those, "--reason", WHY, "--yes")
    assert done.exit_code == 0, done.output
    assert "It is in the store." in done.output
    assert those.slot("Nord").read() is not None
    again = typed(those, "--reason", "Another.", "--yes", "--json", "-")
    assert json.loads(again.stdout)["again"] is True


@pytest.mark.parametrize("reason", ["", "a\x1b[2Jb", "x" * 401, "two\nlines"])
def test_a_reason_that_is_none_is_refused_before_anything_is_signed(those, reason):
    done = typed(those, "--reason", reason, "--yes")
    assert isinstance(done.exception, UsageError)
    assert those.recalled_at("Nord") == []


# --- the list


def test_the_list_of_models_tells_recalls_and_expiry(those):
    def listed(*more):
        words = ["site", "model", "list", "--site", str(those.sites["West"].path), *more]
        done = CliRunner().invoke(cli, words, env={"COLUMNS": "200"})
        assert done.exit_code == 0, done.output
        return done.stdout

    (row,) = json.loads(listed("--json", "-"))["models"]
    assert (row["standing"], row["usable"], row["notices"]) == ("usable", True, [])
    recalled(those, "Nord")
    those.turn()
    assert WHY in listed()
    assert "not to be used" not in listed()
    recalled(those, "West")
    (row,) = json.loads(listed("--json", "-"))["models"]
    assert (row["standing"], row["usable"]) == ("recalled", False)
    assert "It is not to be used any more." in listed()


def test_the_status_names_models_that_others_recalled(those):
    west = those.sites["West"]

    def shown():
        done = CliRunner().invoke(
            cli, ["site", "status", "--site", str(west.path)], env={"COLUMNS": "200"}
        )
        assert done.exit_code == 0, done.output
        return " ".join(done.stdout.split())

    recalled(those, "West")
    assert "recalled models" not in shown()  # the owner's own
    recalled(those, "Nord")
    those.turn()
    assert f"recalled models {NAME} (`securefl site models` says by whom and why)" in shown()


def test_the_card_says_where_recalls_lie(those):
    assert "in the folder `notices` beside this card" in (
        those.folder("West") / "model_card.md"
    ).read_text("utf-8")
