import io
import sys
import threading

from securefl.datasite.import_guard import muted


def test_this_threads_prints_are_dropped_and_others_are_kept(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    inside, done = threading.Event(), threading.Event()

    def other():
        inside.wait(5)
        print("kept", flush=True)  # noqa: T201 - printing is what is tested
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with muted():
        with muted():
            print("dropped", flush=True)  # noqa: T201
        print("dropped too")  # noqa: T201
        inside.set()
        done.wait(5)
    thread.join()
    assert sys.stdout is out
    print("after")  # noqa: T201
    assert out.getvalue() == "kept\nafter\n"
