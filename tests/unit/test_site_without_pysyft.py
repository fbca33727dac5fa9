"""A hospital's folder that takes requests without PySyft: its settings, its pages, and that no
command of its owner imports anything that a light installation leaves out.
"""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from consortium import NAMES, Consortium

from securefl.cli.main import cli
from securefl.errors import UsageError
from securefl.federation.study_request import RequestWay
from securefl.node import request_ways
from securefl.node.agent import Agent
from securefl.node.owner import requests
from securefl.node.owner.folder import make_site
from securefl.node.owner.machine import request_way_words
from securefl.node.owner.pages import review_page
from securefl.node.owner.settings import read_settings
from securefl.node.owner.status import read_status
from securefl.node.requests import kept_requests
from securefl.party.folder import PartyFolder
from securefl.party.pysyft_keys import publish_pysyft_keys
from securefl.party.shown_datasets import board_datasets, take_off_board
from securefl.report.terminal import plain_text
from securefl.researcher.asking import offer_study

ME, OTHER, THIRD = NAMES
#: Commands on the light folder, in the order in which an owner may give them; what they name is not
#: always there. STUDY, PROTOCOL and NEW stand for a request, a study file and a folder to be made.
COMMANDS = """
trust
inbox
review STUDY
ask STUDY How_old_are_they
status
metrics
data list
data show records
data check PROTOCOL --columns PROTOCOL
data readiness records PROTOCOL
data map records --file PROTOCOL --yes
data unmap records --yes
data add more PROTOCOL --population clinic --columns PROTOCOL
budget set clinic --epsilon 200 --typical PROTOCOL --yes
checkpoint
policy show
policy set PROTOCOL
policy drop --yes
notices show
notices set PROTOCOL
notices test
notices drop --yes
people list
people add anna
people remove anna
word STUDY --as anna
approve STUDY --yes
withdraw STUDY --yes
refuse STUDY --reason no
counter-offer STUDY --epsilon 0.5 --yes
pause
pause --resume
models
model list
model show STUDY
model rounds STUDY
model drift STUDY PROTOCOL
model predict STUDY PROTOCOL
model recall STUDY --reason wrong --yes
personalize STUDY
patient remove clinic --yes
backup NEW
service NEW
restore NEW
rotate-key --yes
budget revoke clinic --yes
data remove records --yes
stop
"""
#: Commands that are not given here.
ELSEWHERE = {
    "init": "above",
    "start": "the agent, in tests/integration/test_mixed_consortium.py",
    "console": "a server until Ctrl-C; the same use cases",
}
#: What a command may end with here beside success: a refusal in words of the product.
REFUSALS = {
    "",
    "Abort",
    "DataError",
    "NotApprovedError",
    "StudyError",
    "UnreadableError",
    "UsageError",
}
#: Of a question where nobody is there to answer.
ASKS = ("SystemExit", "1")
SCRIPT = """
import json, sys
sys.path.insert(0, {support!r})
import no_pysyft
no_pysyft.block()
from click.testing import CliRunner
from securefl.cli.main import cli
said = []
for words in json.loads({commands!r}):
    done = CliRunner().invoke(cli, ["site", *words, "--site", {folder!r}])
    failed = done.exception is not None
    said.append([type(done.exception).__name__ if failed else "", str(done.exception or "")])
print(json.dumps({{"said": said, "loaded": no_pysyft.loaded()}}))
"""


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    made = Consortium(tmp_path_factory.mktemp("consortium"), without_pysyft=(ME,))
    made.study = made.new_study("light")
    offer_study(made.lab.folder, made.study.plan)
    return made


@pytest.fixture
def site(c):
    found = c.site(ME)
    yield found
    found.ledger.close()


def test_the_settings_say_it_only_where_it_is_so(c):
    assert 'requests = "board"' in (c.root / ME / "site.toml").read_text()
    assert "requests" not in (c.root / OTHER / "site.toml").read_text()
    assert not (c.root / ME / "syftbox").exists()
    assert (c.root / OTHER / "syftbox").exists()


def test_the_command_makes_such_a_folder(tmp_path):
    words = ["site", "init", str(tmp_path / "Edge"), "--name", "Edge", "--legal-name", "E"]
    words += ["--email", "e@example.org", "--store", str(tmp_path / "store"), "--without-pysyft"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert not PartyFolder.open(tmp_path / "Edge", "hospital").has_pysyft


def test_status_settings_and_doctor_say_it(c, site):
    other = c.site(OTHER)
    assert (read_status(site).has_pysyft, read_status(other).has_pysyft) == (False, True)
    assert (read_settings(site).has_pysyft, read_settings(other).has_pysyft) == (False, True)
    assert request_way_words(site) == "signed, from the store, without PySyft"
    assert request_way_words(other) == "through its PySyft datasite"
    other.ledger.close()


def test_where_pysyft_is_not_installed_the_usual_way_is_refused_with_what_to_do(
    c, tmp_path, monkeypatch
):
    monkeypatch.setattr(request_ways, "pysyft_installed", lambda: False)
    other = c.site(OTHER)
    for step in (
        lambda: request_way_words(other),
        lambda: request_ways.intake_of(other).exchange(other, print),
        lambda: make_site(
            tmp_path / "new", name="New", legal_name="N", email="n@example.org", store="/nowhere"
        ),
    ):
        with pytest.raises(UsageError, match="PySyft is not installed here") as told:
            step()
        assert "--without-pysyft" in told.value.next_step
    assert request_way_words(c.site(ME)).endswith("without PySyft")
    other.ledger.close()


def test_one_word_at_a_time_lies_on_the_board(c, site):
    board, card = c.lab.folder.board, site.identity.card
    publish_pysyft_keys(board, site.identity, "x@securefl.invalid", "ab" * 32)
    request_ways.intake_of(site).exchange(site, lambda _line: None)
    assert [shown.name for shown in board_datasets(board, card)] == ["records"]
    assert board.read(f"identities/{ME}/pysyft", 4096) is None
    take_off_board(board, site.identity)  # as an exchange with PySyft does, after a change back
    assert board_datasets(board, card) == ()
    assert board.names(f"datasets/{ME}/records") == []
    request_ways.intake_of(site).exchange(site, lambda _line: None)


def test_the_others_see_it_by_its_own_signature_alone(c, site):
    request_ways.intake_of(site).exchange(site, lambda _line: None)
    # whoever writes to the store says the same of another hospital
    forged = RequestWay(THIRD, ()).dump(site.identity.sign)
    c.lab.folder.board.post(f"identities/{THIRD}/requests", forged)
    said = f"Without a PySyft datasite: {ME}. The signed request comes from the store there"
    assert said in plain_text(c.study.approvals_page(), 400)
    assert c.study.without_pysyft() == (ME,)
    c.hand_over(c.study, OTHER)
    other = c.site(OTHER)
    reviewed = requests.review(other, c.study.digest, datetime.now(UTC))
    assert reviewed.elsewhere.others.without_pysyft == (ME,)
    page = review_page(OTHER, reviewed, requests.own_view(other, reviewed))
    assert said in plain_text(page, 400)
    other.ledger.close()
    c.lab.folder.board.erase(f"identities/{THIRD}/requests")


def test_an_agent_takes_the_request_in_and_nothing_runs_unapproved(c, site, monkeypatch):
    fresh = c.new_study("agents")
    now = [1000.0]
    agent = Agent(site, lambda: now[0])
    for _ in range(5):
        agent._turn()
        now[0] += 1.0
    offer_study(c.lab.folder, fresh.plan)
    for _ in range(5):
        agent._turn()
        now[0] += 1.0
    kept = {request.digest for request in kept_requests(site)}
    assert fresh.digest in kept
    assert fresh.digest not in site.ledger.state.studies
    assert agent._runs == {}
    monkeypatch.setattr(agent, "_study_run", lambda _plan: Waits())  # control: approved, it is run
    c.approve(ME, fresh)
    agent._turn()
    assert list(agent._runs) == [fresh.digest]
    agent._runs.clear()
    agent._wind_up()


class Waits:
    """A run that waits for the others."""

    answering = started = resting = False

    def step(self):
        return None

    def pause(self):
        return 1.0

    sent = 0


def leaves(group, before=()):
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from leaves(command, (*before, name))
        else:
            yield " ".join((*before, name))


def test_no_command_of_the_owner_imports_what_a_light_installation_leaves_out(c, tmp_path):
    stands_for = {
        "STUDY": c.study.name,
        "PROTOCOL": str(c.protocol),
        "NEW": str(tmp_path / "new"),
    }
    lines = COMMANDS.strip().splitlines()
    commands = [[stands_for.get(word, word) for word in line.split()] for line in lines]
    script = SCRIPT.format(
        support=str(Path(__file__).parents[1] / "support"),
        commands=json.dumps(commands),
        folder=str(c.root / ME),
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["loaded"] == []
    said = dict(zip(lines, found["said"], strict=True))
    assert {
        line: (kind, why)
        for line, (kind, why) in said.items()
        if (kind, why) != ASKS and kind not in REFUSALS
    } == {}
    for line in ("inbox", "review STUDY", "approve STUDY --yes", "withdraw STUDY --yes", "status"):
        assert said[line] == ["", ""], line
    given = set(leaves(cli.get_command(click.Context(cli), "site")))
    assert {name for name in given if not any(line.startswith(name) for line in lines)} == set(
        ELSEWHERE
    )


def test_the_script_sees_what_a_command_imports(c, tmp_path):
    """Control: with PySyft's way the same command fails there, since PySyft cannot be found."""
    script = SCRIPT.format(
        support=str(Path(__file__).parents[1] / "support"),
        commands=json.dumps([["inbox"]]),
        folder=str(c.root / OTHER),
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    (said,) = json.loads(done.stdout.splitlines()[-1])["said"]
    assert said[0] == "UsageError"
    assert "PySyft is not installed here" in said[1]
