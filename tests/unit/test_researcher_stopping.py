"""The first Ctrl-C says what stopping costs; the second within five seconds stops."""

import os
import signal
import threading
from types import SimpleNamespace

import pytest

from securefl.researcher import stopping
from securefl.researcher.stopping import asking_first, somebody_is_there

COST = "Stopping ends the study for all: 2 of 5 rounds are done, and every hospital's charge stays."


@pytest.fixture
def clock():
    return SimpleNamespace(now=100.0)


@pytest.fixture
def person(monkeypatch):
    monkeypatch.setattr(stopping, "somebody_is_there", lambda: True)


@pytest.fixture
def interrupts():
    """Python's own handler, as at a start; whatever a test left is put back."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
        signal.signal(number, handler)


def asking(clock):
    return asking_first(lambda: COST, lambda: clock.now)


@pytest.mark.usefixtures("person", "interrupts")
def test_the_first_asks_and_the_second_in_time_stops(clock, capfd):
    with asking(clock):
        signal.raise_signal(signal.SIGINT)
        assert f"{COST} Press Ctrl-C again within 5 s to stop." in capfd.readouterr().err
        clock.now += 4.9
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("person", "interrupts")
def test_one_that_comes_too_late_asks_again(clock, capfd):
    with asking(clock):
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
            clock.now += 5.1
    assert capfd.readouterr().err.count(COST) == 3


@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_where_nobody_is_there_the_first_stops(clock, monkeypatch, capfd, number):
    monkeypatch.setattr(stopping, "somebody_is_there", lambda: False)
    with asking(clock), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("person", "interrupts")
def test_a_service_manager_is_not_asked(clock):
    with asking(clock), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.usefixtures("person", "interrupts")
def test_the_handlers_are_as_before_afterwards(clock):
    term = signal.getsignal(signal.SIGTERM)
    with asking(clock):
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is term


@pytest.mark.usefixtures("person", "interrupts")
def test_a_program_keeps_its_own_handler_and_other_threads_change_nothing(clock):
    heard = []
    signal.signal(signal.SIGINT, lambda *_: heard.append(True))
    with asking(clock):
        signal.raise_signal(signal.SIGINT)
    assert heard == [True]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seen = []

    def elsewhere():
        with asking(clock):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


@pytest.mark.usefixtures("person", "interrupts")
def test_a_notebook_is_asked_on_its_own_output(clock, monkeypatch, capsys):
    monkeypatch.setitem(stopping.sys.modules, "ipykernel.kernelapp", SimpleNamespace())
    with asking(clock):
        signal.raise_signal(signal.SIGINT)
    assert COST in capsys.readouterr().out


def test_somebody_is_there_at_a_terminal_in_a_session_and_in_a_notebook(monkeypatch):
    monkeypatch.setattr(stopping.sys, "stdin", None)
    # the package, without a kernel: whoever looks for kernels has it
    monkeypatch.setitem(stopping.sys.modules, "ipykernel", SimpleNamespace())
    assert not somebody_is_there()
    main, other = os.openpty()
    with os.fdopen(other, "r") as terminal:
        monkeypatch.setattr(stopping.sys, "stdin", terminal)
        assert somebody_is_there()
    os.close(main)
    monkeypatch.setattr(stopping.sys, "stdin", None)
    monkeypatch.setattr(stopping.sys, "ps1", ">>> ", raising=False)
    assert somebody_is_there()
