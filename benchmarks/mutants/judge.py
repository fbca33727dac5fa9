"""Whether the tests notice a fault.

A fault inside a function is put into a fork of a test session that has imported and collected
everything: the function's code is exchanged, then the tests that reach its line run, until one
fails. A fault that acts at import (a constant, a default) gets a process in which the module is
imported with it.
"""

from __future__ import annotations

import functools
import gc
import importlib
import importlib.abc
import importlib.util
import json
import os
import resource
import shutil
import signal
import sys
import time
import types
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mutate import Mutant

ROOT = Path(__file__).resolve().parents[2]
KILLED, SURVIVED, BY_TIME = "killed", "survived", "killed by time"
#: Seconds of processor time, with coverage measured.
_SLOW = 0.25
_PYTEST = [
    "-qq",
    "-x",
    "-s",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-p",
    "no:cov",
    "--tb=no",
    "-c",
    str(ROOT / "pyproject.toml"),
]


class Reach:
    """Which tests run which line, and how long each takes."""

    def __init__(self, seconds: dict[str, float], lines: dict[str, dict[int, set[str]]]) -> None:
        self.seconds, self.lines = seconds, lines

    def tests(self, module: str, mutant: Mutant) -> list[str]:
        """The tests that reach the mutant: the file named for the module first and whole, then
        other unit tests, then the rest.

        A slow test is asked about the module it is named for only.
        """
        lines = self.lines.get(module, {})
        wanted = lines if mutant.at_import else range(mutant.lines[0], mutant.lines[1] + 1)
        found = {test for line in wanted for test in lines.get(line, ())}
        own = "_".join(["tests/unit/test", *Path(module).with_suffix("").parts[-2:]]) + ".py"
        chosen = [
            test
            for test in self.seconds
            if (found and test.startswith(own)) or (test in found and self.seconds[test] < _SLOW)
        ]
        return sorted(
            chosen, key=lambda test: (not test.startswith(own), not test.startswith("tests/unit"))
        )  # else as they were collected

    def limit(self, test: str) -> None:
        """From here on this process may work five times as long as ``test`` ever needs and three
        seconds, or wait a minute; then it is ended.
        """
        signal.alarm(60 + int(100 * self.seconds[test]))
        until = time.process_time() + 3 + 5 * self.seconds[test]
        resource.setrlimit(resource.RLIMIT_CPU, (int(until) + 1, resource.RLIM_INFINITY))


def in_child(work: Callable[[], int], *, limited: bool = True) -> int | None:
    """The exit code of ``work`` in a forked process, or None when it was ended by its limits.

    A limited one is silent.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 70
        with suppress(BaseException):
            if limited:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 1)
                os.dup2(nowhere, 2)
                resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
            code = work()
        os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else None


def said(code: int | None) -> str:
    """The verdict behind an exit code; 5 is pytest's word for "no test ran"."""
    return BY_TIME if code is None else SURVIVED if code in (0, 5) else KILLED


class Session:
    """A pytest plugin: once the tests are collected, it judges mutants instead of running the
    tests.

    Args:
        work: is given the session when all is collected.
    """

    def __init__(self, work: Callable[[Session], None]) -> None:
        self._work = work
        self.items: dict[str, pytest.Item] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        """No time is spent on making a failing example small."""
        from hypothesis import Phase, settings

        settings.register_profile(
            "mutants", settings.get_profile("repeatable"), phases=[Phase.explicit, Phase.generate]
        )
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of the tests."""
        gc.freeze()  # a fork then copies little
        self.items = {item.nodeid: item for item in session.items}
        self._session = session
        self._work(self)
        return True

    def run(self, tests: Iterable[str], around: Callable[[str], None] = lambda _: None) -> int:
        """Run these until one fails: 0 or 1."""
        items = [self.items[test] for test in tests]
        for item, following in zip(items, [*items[1:], None], strict=True):
            around(item.nodeid)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._session.testsfailed:
                print(f"{item.nodeid} fails")
                return 1
        return 0

    def reach(self, scope: Iterable[str], result: Path) -> Reach:
        """Run all tests once, without a fault, and see which lines each of them runs."""

        def work() -> int:
            import coverage

            seconds: dict[str, float] = {}
            measured = coverage.Coverage(
                data_file=None,
                source=None,
                include=[str(ROOT / module) for module in scope],
                config_file=False,
            )
            last = ["", 0.0]

            def around(test: str) -> None:
                _forget()
                if last[0]:
                    seconds[last[0]] = time.process_time() - last[1]
                last[:] = test, time.process_time()
                if test:
                    measured.switch_context(test)

            measured.start()
            code = self.run(self.items, around)
            around("")
            measured.stop()
            data = measured.get_data()
            lines = {
                str(Path(file).relative_to(ROOT)): data.contexts_by_lineno(file)
                for file in data.measured_files()
            }
            loaded = [
                name
                for name in sys.modules
                if not name.startswith(("securefl", "test", "_pytest", "conftest", "__"))
            ]
            result.write_text(json.dumps({"seconds": seconds, "lines": lines, "loaded": loaded}))
            return code

        if in_child(work, limited=False) != 0:
            raise SystemExit("The tests fail without a fault: mend that first.")
        return read_reach(result)

    def judge(self, module: str, mutant: Mutant, reach: Reach) -> str | None:
        """The verdict, or None where the fault acts at import."""
        exchange = None if mutant.at_import else _exchange(module, mutant)
        if exchange is None:
            return None
        tests = reach.tests(module, mutant)

        def work() -> int:
            function, code = exchange
            function.__code__ = code
            _forget()
            return self.run(tests, reach.limit)

        return said(in_child(work) if tests else 0)


def read_reach(result: Path) -> Reach:
    """What :meth:`Session.reach` wrote."""
    found = json.loads(result.read_text())
    lines = {
        module: {int(line): set(tests) for line, tests in by_line.items()}
        for module, by_line in found["lines"].items()
    }
    return Reach(found["seconds"], lines)


def load_libraries(result: Path) -> None:
    """Import what the tests loaded beside the project, so that forks have it."""
    for name in json.loads(result.read_text())["loaded"]:
        with suppress(Exception):
            importlib.import_module(name)


def judge_import(module: str, mutant: Mutant, reach: Reach, scratch: Path) -> str:
    """The verdict on a fault that acts at import, in processes that import the module with it."""
    tests = reach.tests(module, mutant)
    files = list(dict.fromkeys(test.split("::")[0] for test in tests))
    for part in (files[:1], files[1:]):
        if (
            part
            and (
                verdict := said(
                    in_child(
                        _with_fault(module, mutant, part, tests=tests, reach=reach, scratch=scratch)
                    )
                )
            )
            != SURVIVED
        ):
            return verdict
    return SURVIVED


def _with_fault(
    module: str, mutant: Mutant, files: list[str], *, tests: list[str], reach: Reach, scratch: Path
) -> Callable[[], int]:
    def work() -> int:
        sys.meta_path.insert(0, _Faulty(module, mutant.text))
        codes: list[int] = []
        code = collect(
            files,
            lambda session: codes.append(
                session.run([test for test in session.items if test in tests], reach.limit)
            ),
            scratch,
        )
        return code or codes[0]

    return work


def collect(files: list[str], work: Callable[[Session], None], scratch: Path) -> int:
    """Collect the tests of these files and hand the session to ``work``; pytest's exit code."""
    shutil.rmtree(scratch / "tests", ignore_errors=True)
    return int(
        pytest.main([*_PYTEST, f"--basetemp={scratch / 'tests'}", *files], plugins=[Session(work)])
    )


class _Faulty(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module's import the text with the fault."""

    def __init__(self, module: str, text: bytes) -> None:
        self._name, self._path, self._text = _dotted(module), ROOT / module, text

    def find_spec(self, fullname: str, _path: object = None, _target: object = None) -> object:
        return (
            importlib.util.spec_from_file_location(fullname, self._path, loader=self)
            if fullname == self._name
            else None
        )

    def create_module(self, _spec: object) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(self._text, self._path, "exec"), module.__dict__)  # noqa: S102 - a fault of our own making


def _dotted(module: str) -> str:
    return module.removesuffix(".py").replace("/", ".")


def _exchange(module: str, mutant: Mutant) -> tuple[types.FunctionType, types.CodeType] | None:
    """The live function around the fault, and its code with the fault; None where they cannot be
    told or do not fit.
    """
    found: object = importlib.import_module(_dotted(module))
    code = compile(mutant.text, str(ROOT / module), "exec", dont_inherit=True)
    for name in mutant.where.split("."):
        found = vars(found).get(name)
        inner = [
            const
            for const in code.co_consts
            if isinstance(const, types.CodeType) and const.co_name == name
        ]
        if len(inner) != 1:
            return None
        code = inner[0]
        if not isinstance(found, type):
            break
    for _ in range(3):
        found = next(
            (
                inner
                for what in ("fget", "func", "__func__", "__wrapped__")
                if (inner := getattr(found, what, None)) is not None
            ),
            found,
        )
    if not isinstance(found, types.FunctionType) or found.__code__.co_freevars != code.co_freevars:
        return None
    return found, code


def _forget() -> None:
    """Empty the caches that collecting the tests may have filled."""
    kind = type(functools.cache(_dotted))
    for name, module in list(sys.modules.items()):
        if name.startswith(("securefl", "test", "secagg_", "privacy_", "conftest")):
            for value in list(vars(module).values()):
                if isinstance(value, kind):
                    value.cache_clear()
