import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2] / "benchmarks" / "mutants"

TEXT = '''\
"""Words."""
LIMIT = 4

def refused(why: str) -> ValueError:
    return ValueError("refused" + why)

class Door:
    def open(self, key, store):
        if key is None or len(key) < LIMIT:
            raise refused("too short" + "or missing")
        store.write(key)
        self.last = key
        return store.send(key)
'''


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    yield __import__("run")
    for name in ("run", "judge", "mutate"):
        sys.modules.pop(name)


@pytest.fixture
def mutate(runner):
    return sys.modules["mutate"]


def test_the_faults_that_matter_are_among_the_mutants(mutate):
    found = {mutant.name for mutant in mutate.mutants(TEXT, {"refused"})}
    assert found == {
        "module: 4 => 5",
        "Door.open: key is None or len(key) < LIMIT => False",
        "Door.open: key is None or len(key) < LIMIT => True",
        "Door.open: key is None or len(key) < LIMIT => (len(key) < LIMIT)",
        "Door.open: key is None or len(key) < LIMIT => (key is None)",
        "Door.open: key is None => key is not None",
        "Door.open: len(key) < LIMIT => len(key) <= LIMIT",
        "Door.open: store.write(key) => pass",
        "Door.open: if key is None or len(key) < LIMIT: ; store.write(key) => the other order",
        "Door.open: self.last = key => pass",
    }


def test_what_is_written_before_it_is_sent_is_exchanged(mutate):
    text = "def send(store, key):\n    store.write(key)\n    return store.send(key)\n"
    (exchanged,) = [m for m in mutate.mutants(text) if m.fault.endswith("the other order")]
    done = []

    class Store:
        write, send = (
            (lambda self, key: done.append("write")),
            (lambda self, key: done.append("send")),
        )

    names = {}
    exec(exchanged.text, names)  # noqa: S102 - three lines that stand above
    names["send"](Store(), "key")
    assert done == ["send", "write"]


def test_every_mutant_is_another_program_with_a_name_of_its_own(mutate):
    text = Path(mutate.__file__).read_text()
    found = mutate.mutants(text)
    assert (
        len({mutant.name for mutant in found})
        == len(found)
        == len({mutant.text for mutant in found})
    )
    assert text.encode() not in {mutant.text for mutant in found}
    for mutant in found[::10]:
        compile(mutant.text, "mutant", "exec")


def test_words_are_left_alone(mutate):
    assert mutate.error_makers(TEXT) == {"refused"}
    assert (
        mutate.mutants(
            'def f(x):\n    """Words."""\n    y = f"{x + 1} is wrong"\n    if x:\n        raise'
            ' ValueError("not " + y)\n'
        )[2:]
        == []
    )


def test_a_survivor_without_an_explanation_and_an_explanation_without_a_survivor_are_named(runner):
    module = "securefl/secagg/opening.py"
    run = runner.Run([module], [module], show=False)
    one, two, *others = [mutant.name for mutant in run.mutants[module]]
    run.verdicts[module] = {one: "survived", two: "survived", **dict.fromkeys(others, "killed")}
    assert run.figures(module)["survived"] == 2
    assert run.unexplained(module, [two, others[0]]) == [one]
    assert run.outdated(module, [two, others[0], "gone: 1 => 2"]) == [others[0], "gone: 1 => 2"]


def test_every_explanation_is_of_a_module_that_is_here_and_says_why(runner):
    for module, known in runner.explained().items():
        assert (runner.ROOT / module).is_file()
        assert all(len(why) > 10 for why in known.values())


def test_a_mutants_tests_are_those_that_reach_it_its_own_file_first_and_no_slow_ones_of_others(
    runner,
):
    own, other, slow = (
        "tests/unit/test_secagg_ring.py::a",
        "tests/unit/test_secagg_seal_memory.py::b",
        "tests/unit/test_secagg_seal_memory.py::slow",
    )
    attack = "tests/attack/test_secagg_x.py::c"
    seconds = {attack: 0.1, slow: 9.0, other: 0.1, own: 9.0}
    reach = sys.modules["judge"].Reach(
        seconds, {"securefl/secagg/ring.py": {7: {other, slow, attack}, 8: {own}}}
    )

    def tests(*lines, at_import=False):
        return reach.tests(
            "securefl/secagg/ring.py", runner.Mutant("add", "a => b", lines, at_import, b"")
        )

    assert tests(7, 7) == [own, other, attack]
    assert tests(1, 3) == []
    assert tests(1, 1, at_import=True) == [own, other, attack]
