"""A process killed in the middle of anything: the next one goes on, and nobody waits for something
that will not come.

The child ends itself, as by SIGKILL, just before its n-th call that touches a file. Every n was
tried by hand; the tests take a spread of them.
"""

import os
import signal
import sys
import threading

import pytest
from datasite_parties import DESCRIPTION, FILES, MOCK, Parties

from securefl.datasite.address import site_email
from securefl.errors import UsageError

R, SVI = site_email("researcher"), site_email("SVI")
TOUCHES = {
    "open",
    "write",
    "close",
    "replace",
    "rename",
    "unlink",
    "mkdir",
    "rmdir",
    "flush",
    "fsync",
}


def killed_at(n, act, parties):
    """Run ``act`` in a child that dies at its n-th touch of a file, if it gets that far."""
    pid = os.fork()
    if pid == 0:
        left = [n]

        def watch(_frame, kind, called):
            if kind == "c_call" and getattr(called, "__name__", "") in TOUCHES:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        threading.setprofile(watch)
        sys.setprofile(watch)
        try:
            act(parties)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def ask(parties):
    with parties.researcher() as site:
        site.request_peer(SVI)
        site.sync()


def publish_and_approve(parties):
    with parties.open("SVI") as site:
        site.publish_dataset("thyroid", MOCK, DESCRIPTION)
        site.approve_peer(R)
        site.sync()


def submit(parties):
    with parties.researcher() as site:
        site.sync()
        site.submit(SVI, "st", FILES)


def decide(parties):
    with parties.open("SVI") as site:
        site.sync()
        if site.requests()[0].status == "pending":
            site.set_status(f"{R}/st", "approved", "yes")
        site.sync()


def look(parties):
    with parties.researcher() as site:
        site.sync()


STEPS = (ask, publish_and_approve, submit, decide, look)


POINTS = (
    [(ask, n) for n in (7, 29, 61)]
    + [(publish_and_approve, n) for n in (29, 101, 134, 260, 420, 700, 903)]
    + [(submit, n) for n in (29, 190, 260, 310)]
    + [(decide, n) for n in (83, 174, 260, 420, 560, 903)]
    + [(look, n) for n in (29, 83)]
)


@pytest.mark.parametrize(
    ("dying", "n"), POINTS, ids=lambda value: getattr(value, "__name__", value)
)
def test_the_next_process_goes_on(tmp_path, dying, n):
    parties = Parties(tmp_path)
    for step in STEPS:
        if step is dying:
            killed_at(n, step, parties)
        try:
            step(parties)
        except UsageError as error:
            assert "already sent" in error.what  # noqa: PT017 - only this is allowed, and only here
    with parties.open("SVI") as site:
        (request,) = site.requests()
        assert (request.status, set(request.files)) == (
            "approved",
            {"study.toml", "README.md", "main.py"},
        )
        assert site.quarantined() == ()
    with parties.researcher() as site:
        site.sync()
        assert [(r.status, r.note) for r in site.requests()] == [("approved", "yes")]
        assert [d.mock.read_bytes() for d in site.datasets()] == [MOCK]
