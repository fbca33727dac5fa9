"""Commands as people type them: what each imports, what each says when the store or the folder is
not fit.
"""

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from consortium import NAMES, Consortium

from securefl.cli.main import cli
from securefl.errors import ExitCode

pytestmark = [pytest.mark.real_start, pytest.mark.slow]
ME = NAMES[0]
HEAVY = {"torch", "opacus", "syft", "tenseal", "pandas", "dp_accounting", "scipy"}
PROBE = """
import json, sys
from securefl.cli.main import main
codes = []
for line in json.loads(sys.argv[1]):
    sys.argv = ["securefl", *line]
    try:
        main()
    except SystemExit as end:
        codes.append(end.code or 0)
    else:
        codes.append(0)
print("\\nPROBE", json.dumps([codes, sorted({m.split(".")[0] for m in sys.modules})]))
"""


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    """Folders without processes, with one request waiting."""
    made = Consortium(tmp_path_factory.mktemp("consortium"))
    made.hand_over(made.new_study("waiting"), ME)
    return made


def imported(*lines):
    """The packages that one process has imported when it has run these commands."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(lines)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    codes, modules = json.loads(done.stdout.rsplit("PROBE", 1)[1])
    assert codes == [0] * len(lines), done.stdout + done.stderr
    return set(modules)


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "site --help",
        "site approve --help",
        "study --help",
        "aggregator --help",
        "audit --help",
        "demo --help",
        "--version",
    ],
)
def test_help_costs_no_framework(line):
    assert not imported(line.split()) & (HEAVY | {"fsspec", "numpy"})


def test_an_owners_everyday_commands_cost_no_framework(c):
    lines = ("site status", "site trust", "site pause --resume", "audit", "audit --detail")
    assert not imported(*([*line.split(), "--site", str(c.root / ME)] for line in lines)) & HEAVY


def test_reviewing_and_approving_import_neither_torch_nor_opacus_nor_syft(c):
    lines = ("review waiting", "approve waiting --yes", "withdraw waiting --yes")
    site = ["--site", str(c.root / ME)]
    assert not imported(*(["site", *line.split(), *site] for line in lines)) & {
        "torch",
        "opacus",
        "syft",
        "tenseal",
    }


def test_the_inbox_is_read_through_pysyft_without_torch(c):
    assert not imported(["site", "inbox", "--site", str(c.root / ME)]) & {
        "torch",
        "opacus",
        "tenseal",
    }


def test_importing_securefl_and_the_researchers_door_costs_no_torch():
    code = (
        "import json, sys, securefl; securefl.connect; print(json.dumps(sorted({m.split('.')[0] for"
        " m in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert not set(json.loads(done.stdout)) & {"torch", "opacus", "tenseal", "pandas"}


def test_commands_in_the_wrong_folder_say_what_to_do(c, tmp_path):
    for line, role in (
        ("site status --site", "hospital"),
        ("study datasets --researcher", "researcher"),
        ("aggregator start --aggregator", "aggregator"),
    ):
        text = c.cli(*line.split(), str(tmp_path), code=int(ExitCode.USAGE))
        assert f"it is not {'an' if role == 'aggregator' else 'a'} {role}'s folder" in " ".join(
            text.replace("│", "").split()
        )
        assert "init" in text


def test_a_budget_that_is_too_small_is_refused_with_figures_at_the_command_line(tmp_path):
    poor = Consortium(tmp_path, epsilon="1.6")
    first, second = poor.new_study("first"), poor.new_study("second")
    for study in (first, second):
        poor.hand_over(study, ME)
    site = str(poor.root / ME)

    def here(*arguments):
        """The command in this process, which has the accountant at hand."""
        done = CliRunner().invoke(cli, [*arguments, "--site", site])
        assert done.exit_code == 0, done.output
        return done.output

    text = here("site", "approve", first.name, "--yes")
    assert "of the budget reserved" in text
    text = poor.cli(
        "site", "approve", second.name, "--yes", "--site", site, code=int(ExitCode.BUDGET)
    )
    assert text.count("%") >= 2
    assert poor.status(ME, second) is None
    noted = json.loads(here("audit", "--json", "-"))
    assert "budget" in json.dumps(noted)
    page = here("site", "review", second.name)
    assert "%" in page


def test_nobody_approves_without_a_yes(c):
    c.hand_over(c.new_study("asked"), ME)
    text = c.cli("site", "approve", "asked", "--site", str(c.root / ME), code=int(ExitCode.USAGE))
    assert "needs a yes" in text
    assert c.status(ME, next(s for s in c.lab.studies() if s.name.startswith("asked"))) is None


def test_with_a_store_that_cannot_be_written_the_agent_says_so_and_stops_when_asked(tmp_path):
    store, site, researcher = (
        tmp_path / "store",
        str(tmp_path / "site"),
        str(tmp_path / "researcher"),
    )
    run = [sys.executable, "-m", "securefl"]
    for role, folder, name in (("site", site, "SVI"), ("study", researcher, "R")):
        words = [
            "init",
            folder,
            "--name",
            name,
            "--legal-name",
            "H",
            "--email",
            "a@example.org",
            "--store",
            str(store),
        ]
        subprocess.run([*run, role, *words], check=True, stdout=subprocess.DEVNULL)
        (
            tmp_path / folder / "store.id"
        ).unlink()  # else it is another store that is named, not one that takes nothing
    shutil.rmtree(store)
    store.write_text("a regular file")
    doctor = subprocess.run(
        [*run, "doctor", "--folder", site], capture_output=True, text=True, check=False, timeout=120
    )
    assert doctor.returncode != 0
    assert "cannot be written" in " ".join(doctor.stdout.split())
    agent = subprocess.Popen(
        [*run, "site", "start", "--site", site], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    log = tmp_path / "site" / "agent.log"
    end = time.monotonic() + 60
    while not (log.exists() and "store" in log.read_text()):
        assert agent.poll() is None, agent.stderr.read().decode()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)
    time.sleep(8)  # further turns, and exchanges that are due in some of them, say nothing new
    assert agent.poll() is None
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(timeout=120) == 0
    assert agent.stderr.read() == b""
    # each part of the agent's turn that meets it says so once
    assert 1 <= log.read_text().count("store: ") <= 3


def test_stopping_where_no_agent_runs_says_so(c):
    assert "No agent runs here" in c.cli("site", "stop", "--site", str(c.root / ME))
