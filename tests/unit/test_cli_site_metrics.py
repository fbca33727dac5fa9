"""Metrics of a hospital: OpenMetrics text, on a screen, in a file, or for this machine alone."""

import http.client
import json
import threading

import pytest
from click.testing import CliRunner

from securefl.cli.main import cli
from securefl.cli.metrics_output import make_server
from securefl.cli.site_metrics import metrics_json, metrics_text
from securefl.errors import UsageError
from securefl.learning.looks import Look
from securefl.node.owner.metrics import SiteMetrics, StudyMetrics
from securefl.node.site import Site


@pytest.fixture
def place(tmp_path):
    Site.init(
        tmp_path / "SVI",
        name="SVI",
        legal_name="Hospital",
        email="a@example.org",
        store=str(tmp_path / "store"),
    ).ledger.close()
    return tmp_path


def run(place, *more):
    return CliRunner().invoke(cli, ["site", "metrics", "--site", str(place / "SVI"), *more])


def test_a_new_hospital_has_metrics_that_end_as_the_format_says(place):
    done = run(place)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert 'securefl_agent_running{site="SVI"} 0' in lines
    assert 'securefl_requests_waiting{site="SVI"} 0' in lines
    assert lines[-1] == "# EOF"
    assert not [line for line in lines if "securefl_study" in line]


def test_a_program_reads_the_same_as_json(place):
    found = json.loads(run(place, "--json", "-").output)
    assert (found["site"], found["running"], found["studies"]) == ("SVI", False, [])


def test_a_file_is_written_whole_and_the_collector_can_read_it(place):
    target = place / "securefl.prom"
    assert run(place, "--file", str(target)).exit_code == 0
    assert target.read_text("utf-8") == run(place).output
    assert target.stat().st_mode & 0o777 == 0o644
    refused = run(place, "--file", str(target / "x.prom"))
    assert isinstance(refused.exception, UsageError)


def test_the_newest_charged_figure_of_a_study_that_runs_is_a_gauge():
    study = StudyMetrics("small", "running", 40, 12, Look(10, 0.61234567, 0.75, 0.68, known=True))
    others = StudyMetrics("other", "running", 9, 2)
    found = SiteMetrics("SVI", True, False, True, 0, {}, (study, others), {})
    lines = metrics_text(found).splitlines()
    assert 'securefl_look_low{site="SVI",study="small"} 0.6123' in lines
    assert 'securefl_look_after{site="SVI",study="small"} 10' in lines
    assert len([line for line in lines if line.startswith("securefl_look")]) == 3
    told = metrics_json(found)["studies"]
    assert [study["look"] for study in told] == [
        {"after": 10, "low": 0.61234567, "high": 0.75, "value": 0.68, "known": True},
        None,
    ]


@pytest.fixture
def server():
    made = make_server(lambda: "up 1\n# EOF\n", 0)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def ask(server, path, host=None):
    port = server.server_address[1]
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {} if host is None else {"Host": host}
    link.request("GET", path, headers=headers)
    answer = link.getresponse()
    found = answer.status, answer.read()
    link.close()
    return found


def test_a_reader_on_this_machine_gets_the_text_and_nothing_else(server):
    assert server.server_address[0] == "127.0.0.1"
    assert ask(server, "/metrics") == (200, b"up 1\n# EOF\n")
    assert ask(server, "/")[0] == 404
    # a page in a browser that has its own name point here
    assert ask(server, "/metrics", "rebound.example:9100")[0] == 404


def test_a_port_that_is_taken_is_named(server):
    with pytest.raises(UsageError, match="cannot be used"):
        make_server(str, server.server_address[1])
