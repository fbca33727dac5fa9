"""``securefl site console`` prints a link of this machine, and ends without a trace."""

import http.client
import re
import signal
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner
from command_line_hospital import hospital

from securefl.cli.main import cli
from securefl.console import link_file
from securefl.errors import UsageError


@pytest.fixture
def folder(tmp_path):
    return hospital(tmp_path)


def get(port, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def test_the_link_opens_the_console_once_and_nothing_else_does(folder):
    command = [sys.executable, "-m", "securefl", "site", "console", "--no-browser"]
    process = subprocess.Popen(
        [*command, "--port", "0", "--site", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        line = process.stdout.readline()
        port, path = re.search(r"http://127\.0\.0\.1:(\d+)(/\S+)", line).groups()
        assert get(int(port), "/")[0].status == 401
        opened, _ = get(int(port), path)
        assert opened.status == 303
        cookie = opened.getheader("set-cookie").partition(";")[0]
        page, text = get(int(port), opened.getheader("location"), Cookie=cookie)
        assert page.status == 200
        assert "No request has come in." in text
        assert get(int(port), path)[0].status == 403
        assert not (folder / "console.html").exists()
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    # addresses hold secrets: no request is written down
    assert opened.getheader("location") not in rest
    assert path not in rest
    assert "Traceback" not in rest


def test_a_port_that_is_taken_is_said_with_what_to_do(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ["site", "console", "--no-browser", "--port", str(port), "--site", str(folder)]
        done = CliRunner().invoke(cli, words)
    assert isinstance(done.exception, UsageError)
    assert f"port {port}" in done.exception.what
    assert "--port" in done.exception.next_step


def test_a_folder_that_is_no_hospitals_has_no_console(tmp_path):
    done = CliRunner().invoke(cli, ["site", "console", "--no-browser", "--site", str(tmp_path)])
    assert isinstance(done.exception, UsageError)


def test_the_browser_gets_a_file_of_the_owner_and_no_secret_among_its_arguments(
    tmp_path, monkeypatch
):
    opened = []
    monkeypatch.setattr(link_file.webbrowser, "open", opened.append)
    link = "http://127.0.0.1:1/open/secret&quot"
    link_file.open_in_browser(tmp_path, link)
    file = tmp_path / "console.html"
    assert opened == [file.as_uri()]
    assert file.stat().st_mode & 0o777 == 0o600
    assert "url=http://127.0.0.1:1/open/secret&amp;quot" in file.read_text()
    link_file.erase_link_file(tmp_path)
    link_file.erase_link_file(tmp_path)
    assert not file.exists()
