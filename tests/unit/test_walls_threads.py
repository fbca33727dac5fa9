"""The threads wall is closed for good, and a worker whose wall does not stand reads no row."""

import subprocess
import sys

import pytest

from securefl.errors import RoundError
from securefl.node.walls import threads

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="walls are Linux's")

TRIED = """
import threading
from concurrent.futures import ThreadPoolExecutor
from securefl.node.walls.kernel_calls import gain_no_rights
from securefl.node.walls.threads import start_no_more_threads

def begin():
    threading.Thread(target=lambda: None).start()
    return "started"

with ThreadPoolExecutor(1) as earlier:
    earlier.submit(begin).result()
    gain_no_rights()
    start_no_more_threads()
    for place in (begin, earlier.submit(begin).result):
        try:
            print(place())
        except RuntimeError as error:
            print(error)
"""


def test_no_thread_starts_another_one_not_even_one_that_was_there_before():
    done = subprocess.run(
        [sys.executable, "-c", TRIED], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["can't start new thread"] * 2


@pytest.mark.parametrize("refused", [True, False], ids=["a hole", "no filter"])
def test_a_worker_that_can_still_start_threads_goes_no_further(monkeypatch, refused):
    monkeypatch.setattr(threads, "refuse_threads", lambda: refused)
    with pytest.raises(RoundError, match="can still start threads") as error:
        threads.start_no_more_threads()
    assert "no row" in error.value.next_step
