"""The check of a store tells what was tried; the rule lets each party write its own places alone."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase

import pytest
from click.testing import CliRunner
from consortium import Consortium
from faulty_world import undisturbed
from killed_hospital import approved
from store_servers import s3

from securefl.boards.board import MARKER, CarriedBoard
from securefl.boards.folder import FolderCarrier
from securefl.boards.marker import mark
from securefl.boards.memory import MemoryCarrier
from securefl.boards.opening import open_board
from securefl.boards.store_check import check_store
from securefl.cli.main import cli
from securefl.errors import SecureFLError, StoreError, UsageError
from securefl.federation import paths
from securefl.federation.questions import MOST_QUESTIONS
from securefl.party.store_rules import may_write, rule_of, written_by

HOSPITALS = ("STMW", "SVHC", "SVI")


def results(found):
    return {finding.check: finding.result for finding in found}


def test_a_folder_is_fit_and_anybody_can_write_anywhere(tmp_path):
    board = open_board(str(tmp_path))
    found = check_store(board, ["datasites/svi"])
    assert results(found) == {
        "rights": "ok",
        "latency": "ok",
        "news": "ok",
        "clock": "ok",
        "conditional writes": "ok",
        "place of others: datasites/svi": "note",
    }
    assert board.names() in ([], ["datasites"])  # nothing stays behind
    assert board.names("datasites/svi") == []


def test_what_is_wrong_with_a_store_is_said(tmp_path):
    board = CarriedBoard("memory://slow", MemoryCarrier("memory://slow"))
    ticks = iter(range(0, 10_000, 3))
    found = check_store(board, clock=lambda: 0.0, timer=lambda: next(ticks))
    assert results(found)["latency"] == "note"
    assert "does not tell" in {f.check: f.detail for f in found}["clock"]

    late = CarriedBoard(str(tmp_path), FolderCarrier(str(tmp_path)))
    off = {f.check: f for f in check_store(late, clock=lambda: 1e9)}["clock"]
    assert off.result == "note"
    assert "set it right" in off.detail


def test_a_store_that_forgets_or_replaces_is_noticed(tmp_path):
    class Forgetful(FolderCarrier):
        def create(self, path, fill):
            self.write(path, fill)
            return True

    found = check_store(CarriedBoard("x", Forgetful(str(tmp_path))))
    assert {f.check: f for f in found}["conditional writes"].result == "note"

    class Old(FolderCarrier):
        def erase(self, path):
            """Nothing is removed."""

    (first,) = check_store(CarriedBoard("x", Old(str(tmp_path))))
    assert (first.check, first.result) == ("rights", "FAILED")
    assert "still shows" in first.detail


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Role and name → every path that a party wrote in a study that survives losses."""
    c = Consortium(tmp_path_factory.mktemp("c"))
    studied = c, approved(c, "rights", "survivors")
    with pytest.MonkeyPatch.context() as patched:
        world = undisturbed(studied, tmp_path_factory.mktemp("w") / "world", patched)
    return world.weather.by_role


def test_every_object_of_a_study_is_written_by_whom_the_rule_lets(written):
    roles = {
        "researcher": "researcher",
        "sums": "aggregator",
        **dict.fromkeys(HOSPITALS, "hospital"),
    }
    paths = [(name, path) for name, found in written.items() if name in roles for path in found]
    assert len(paths) > 50
    for name, path in paths:
        assert may_write(roles[name], name, path), (name, path)
    # and by nobody else
    for name, path in paths:
        for other in HOSPITALS:
            if other != name:
                assert not may_write("hospital", other, path), (other, path)


@pytest.mark.parametrize(
    "path",
    [
        paths.question("ab" * 32, "SVI", 3),
        paths.offer("ab" * 32, "SVI"),
        paths.recall("ab" * 32, "SVI"),
    ],
)
def test_an_owners_words_are_written_by_that_hospital_alone(path):
    assert may_write("hospital", "SVI", path)
    assert not may_write("hospital", "SVHC", path)
    assert may_write("researcher", "lab", paths.reply("ab" * 32, "SVI", 3))


@pytest.mark.parametrize("other", ["SVI-2", "SVI_2", "2-SVI", "SVI-SVI"])
def test_a_name_that_begins_or_ends_with_anothers_is_another_hospital(written, other):
    """A star of S3 also stands for a slash, so its patterns are tried as they are printed."""
    allowed = json.loads(rule_of("s3://bucket/x", "hospital", "SVI", "svi"))["Statement"][-1]
    places = [one.removeprefix("arn:aws:s3:::bucket/x/") for one in allowed["Resource"]]
    own = [path.replace("SVHC", "SVI") for path in written["SVHC"]]
    own += [paths.question("ab" * 32, "SVI", number) for number in (1, MOST_QUESTIONS)]
    own += [paths.offer("ab" * 32, "SVI"), paths.recall("ab" * 32, "SVI")]
    own = [path for path in own if not path.startswith("doctor-")]
    for path in own:
        theirs = path.replace("SVI", other)
        if path == theirs:
            continue
        assert any(fnmatchcase(path, place) for place in places), path
        assert not any(fnmatchcase(theirs, place) for place in places), theirs
        assert may_write("hospital", "SVI", path)
        assert not may_write("hospital", "SVI", theirs)
    # the control: a star in the place of two digits lets the other one's questions in
    theirs = paths.question("ab" * 32, "SVI-2", 1)
    assert fnmatchcase(theirs, "studies/*/questions/SVI-*")


@pytest.mark.parametrize("role", ["hospital", "researcher", "aggregator"])
def test_no_partys_rule_lets_it_write_the_mark(role):
    assert not may_write(role, "SVI", MARKER)
    for store in ("s3://bucket/x", "davs://host/x"):
        rule = rule_of(store, role, "SVI", "svi")
        assert f'x/{MARKER}"' not in rule
    assert "Require all denied" in rule.rpartition(f"{re.escape(MARKER)}$")[2]


def test_a_folders_rule_is_commands_and_an_unknown_store_has_none():
    assert "chmod 3770" in rule_of("/mnt/share", "hospital", "SVI", "svi")
    assert rule_of("sftp://svi@host/data", "hospital", "SVI", "svi").count("/data") == 4
    with pytest.raises(UsageError, match="No rule is known"):
        rule_of("ftp://host/x", "hospital", "SVI", "svi")


def test_webdavs_rule_keeps_a_partys_places_to_its_account():
    text = rule_of("davs://host/dav/x", "hospital", "SVI", "svi")
    way, shut = re.findall(r'LocationMatch "(.*)"', text)
    assert re.match(shut, f"/dav/x/{MARKER}")
    assert not re.match(way, f"/dav/x/{MARKER}")
    questions = "/dav/x/studies/ab/questions"
    assert re.match(way, f"{questions}/SVI-01")
    assert not re.match(way, f"{questions}/SVI-2-01")
    root = "/dav/x/studies/ab/rounds/00001-1/contributions"
    assert re.match(way, f"{root}/SVI")
    assert re.match(way, f"{root}/.{'0' * 16}.part")
    assert not re.match(way, f"{root}/SVHC")
    assert "Require user svi" in text


def test_s3s_rule_holds_at_a_server(monkeypatch, tmp_path):
    """With the rule a hospital writes its own place and no other; as the operator, the control, all.

    This server knows the star alone: what ``?`` stands for in a rule is tried without it, above.
    """
    import http.client

    import botocore.session

    with s3() as url:
        operator = {
            "aws_access_key_id": "o",
            "aws_secret_access_key": "o",
            "region_name": "us-east-1",
        }
        session = botocore.session.get_session()
        iam = session.create_client("iam", endpoint_url=url, **operator)
        session.create_client("s3", endpoint_url=url, **operator).create_bucket(Bucket="bucket")
        iam.create_user(UserName="svi")
        rule = rule_of("s3://bucket/x", "hospital", "SVI", "svi")
        assert json.loads(rule)["Version"]
        iam.put_user_policy(UserName="svi", PolicyName="securefl", PolicyDocument=rule)
        key = iam.create_access_key(UserName="svi")["AccessKey"]
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "o")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "o")
        mine, theirs = (f"studies/ab/rounds/1/contributions/{name}" for name in ("SVI", "SVHC"))
        control = open_board("s3://bucket/x")
        control.post(theirs, b"theirs")
        control.post(MARKER, b"another")  # the control: the operator replaces the mark
        control.erase(MARKER)
        word = mark(control, f"securefl-store/1 {'0' * 32}")
        assert results(check_store(control, ["datasites/other"]))["conditional writes"] == "ok"

        server = http.client.HTTPConnection(url.removeprefix("http://"))
        server.request("POST", "/moto-api/reset-auth", b"0")
        assert server.getresponse().status == 200
        server.close()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        board = open_board("s3://bucket/x")
        board.post(mine, b"mine")
        assert board.read(mine, 10) == b"mine"
        assert board.read(theirs, 10) == b"theirs"
        assert mark(board, f"securefl-store/1 {'1' * 32}") == word
        for path in (theirs, MARKER):
            with pytest.raises(StoreError):
                board.post(path, b"mine")
            with pytest.raises(StoreError):
                board.erase(path)
        assert mark(board, f"securefl-store/1 {'1' * 32}") == word
        found = results(check_store(board, ["datasites/other"]))
        assert found["rights"] == "ok"
        assert found["place of others: datasites/other"] == "ok"


def test_a_rule_names_the_partys_own_places():
    assert "studies/*/approvals/SVI" in written_by("hospital", "SVI")
    assert not any("SVI" in place for place in written_by("hospital", "SVHC"))


def test_the_commands_say_what_was_tried_and_whose_rule_it_is(tmp_path):
    share = tmp_path / "share"
    place = str(tmp_path / "svi")
    mine = ("--name", "SVI", "--legal-name", "A", "--email", "a@b.example", "--store", str(share))
    run("site", "init", place, *mine)
    said = run("store", "check", "--folder", place)
    assert said.count("ok ") == 5
    assert list(share.iterdir()) == [share / "securefl-store"]
    facts = json.loads(run("store", "policy", "--folder", place, "--json", "-"))
    assert facts["writes"] == list(written_by("hospital", "SVI"))
    assert "--append --groups securefl svi" in facts["rule"]
    assert json.loads(run("store", "policy", "ftp://h/x", "--folder", place, "--json", "-"))[
        "writes"
    ]
    assert "No rule is known" in run("store", "policy", "ftp://h/x", "--folder", place, code=2)
    assert "FAILED" in run("store", "check", "/proc/nothing", code=10)


def test_a_folder_that_is_not_there_is_said_and_not_made(tmp_path):
    typo = tmp_path / "typo" / "share"
    assert "there is no such folder" in run("store", "check", str(typo), code=10)
    assert not typo.parent.exists()
    typo.mkdir(parents=True)
    assert run("store", "check", str(typo)).count("ok ") == 5


def test_the_checked_store_is_the_one_used_before_however_it_is_named(tmp_path):
    share = tmp_path / "share"
    place = str(tmp_path / "svi")
    mine = ("--name", "SVI", "--legal-name", "A", "--email", "a@b.example", "--store", str(share))
    run("site", "init", place, *mine)
    share.rename(tmp_path / "moved")
    for named in ((), (str(share),)):
        said = run("store", "check", *named, "--folder", place, code=10)
        assert "not the store that was used here before" in said
        assert not share.exists()
    share.mkdir()
    assert "used here before" in run("store", "check", "--folder", place, code=10)
    assert list(share.iterdir()) == []
    assert run("store", "check", str(tmp_path / "moved"), "--folder", place).count("ok ") == 5


def test_a_policy_is_printed_in_a_partys_folder_alone(tmp_path):
    share = tmp_path / "share"
    share.mkdir()
    assert "no party's folder" in run("store", "policy", "--folder", str(share), code=2)


def run(*arguments, code=0):
    try:
        done = CliRunner().invoke(cli, arguments, env={"COLUMNS": "400"}, catch_exceptions=False)
    except SecureFLError as error:
        assert int(error.exit_code) == code  # noqa: PT017 - either way it ends
        return str(error)
    assert done.exit_code == code, done.output
    return done.output
