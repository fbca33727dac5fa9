"""What holds for the project as a whole: what loads what, and what no file may contain."""

import ast
import importlib
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import securefl

PACKAGE = Path(securefl.__file__).parent
FILES = sorted(p for p in PACKAGE.rglob("*.py") if p.stat().st_size or p.name != "__init__.py")
NAMES = tuple(p.relative_to(PACKAGE).as_posix() for p in FILES)
HEAVY = {
    "torch",
    "opacus",
    "syft",
    "syft_rds",
    "tenseal",
    "pandas",
    "sklearn",
    "dp_accounting",
    "scipy",
}
ROOMS = sorted(
    p.parent.relative_to(PACKAGE).as_posix()
    for p in PACKAGE.rglob("__init__.py")
    if p.parent != PACKAGE and any(p.parent.glob("*.py"))
)


@cache
def trees():
    """The syntax tree of each file; whoever only collects tests parses none."""
    return {name: ast.parse((PACKAGE / name).read_text("utf-8")) for name in NAMES}


def loaded_after(statement):
    code = f"import sys\n{statement}\nprint(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import securefl",
        "from securefl.study import approval, consistency, digest, parse, schema, seal",
        "from securefl.identity import Identity; from securefl.partners import AddressBook",
        "import securefl.boards.opening, securefl.environment",
    ],
)
def test_the_light_parts_load_no_framework(statement):
    assert loaded_after(statement) & HEAVY == set()


def test_the_package_itself_loads_nothing_but_the_standard_library():
    assert (
        loaded_after("import securefl")
        & {"numpy", "pydantic", "cryptography", "fsspec", "click", "rich"}
        == set()
    )


def test_opening_a_room_loads_no_framework():
    rooms = ", ".join(f"securefl.{room.replace('/', '.')}" for room in ROOMS)
    assert loaded_after(f"import {rooms}") & HEAVY == set()


def test_every_file_was_found():
    assert {"errors.py", "study/parse.py", "identity.py"} <= set(NAMES)


@cache
def nodes(tree):
    """All nodes of a module, found once for all tests."""
    return list(ast.walk(tree))


@cache
def spelled(tree):
    """The dotted names of a module, each with whether it is called."""
    called = {n.func for n in nodes(tree) if isinstance(n, ast.Call)}
    names = {n for n in nodes(tree) if isinstance(n, ast.Attribute | ast.Name)}
    return {(dotted(n), n in called) for n in names}


def dotted(node):
    """``a.b.c``, or nothing where it does not begin with a name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return before and f"{before}.{node.attr}"
    return ""


def imported(tree):
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


def offences(rule):
    """What ``rule`` finds in each file, by file; files without an offence are left out."""
    return {file: found for file, tree in trees().items() if (found := rule(tree))}


def called(tree):
    return {name for name, is_called in spelled(tree) if is_called}


def test_no_file_can_unpickle_or_read_yaml():
    modules = {
        "pickle",
        "cPickle",
        "_pickle",
        "dill",
        "cloudpickle",
        "joblib",
        "shelve",
        "marshal",
        "yaml",
    }
    calls = {
        "torch.load",
        "numpy.load",
        "np.load",
        "pd.read_pickle",
        "pandas.read_pickle",
        "eval",
        "exec",
        "ts.context_from",
        "ts.ckks_vector_from",
    }
    assert offences(lambda tree: (set(imported(tree)) & modules) | (called(tree) & calls)) == {}


def test_no_file_starts_a_shell():
    def shells(tree):
        keywords = [
            k
            for n in nodes(tree)
            if isinstance(n, ast.Call)
            for k in n.keywords
            if k.arg == "shell"
        ]
        never = [
            k
            for k in keywords
            if not (isinstance(k.value, ast.Constant) and k.value.value is False)
        ]
        return never or called(tree) & {
            "os.system",
            "os.popen",
            "subprocess.getoutput",
            "subprocess.getstatusoutput",
        }

    assert offences(shells) == {}


def test_no_file_draws_from_numpys_or_pythons_repeatable_generators():
    def draws(tree):
        names = {name for name, _ in spelled(tree)}
        return {n for n in names if n.startswith(("np.random.", "numpy.random."))} | (
            set(imported(tree)) & {"random"}
        )

    # Invented patients, and the lot that divides a published cohort, are the same everywhere; no
    # noise and no secret comes from there.
    assert {str(file) for file in offences(draws)} == {
        "demo/chains.py",
        "demo/digits.py",
        "demo/fraud.py",
        "demo/recurrence.py",
        "demo/visits.py",
    }


def test_few_modules_name_the_kinds_of_stages_and_releases():
    """The stages themselves, their registry, labels, and the words of version 1: all others ask."""
    kinds = re.compile(r'"(update|evaluation|preparation|count|train|evaluate)"')
    naming = [file for file in NAMES if kinds.search((PACKAGE / file).read_text("utf-8"))]
    assert len(naming) <= 8, naming


def test_a_module_is_one_idea():
    lines = {file: len((PACKAGE / file).read_text("utf-8").splitlines()) for file in NAMES}
    assert {file: n for file, n in lines.items() if n > 600} == {}


def test_every_module_says_what_it_is_for():
    assert offences(lambda tree: not ast.get_docstring(tree)) == {}


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_says_what_it_is_for(room):
    module = importlib.import_module(f"securefl.{room.replace('/', '.')}")
    assert module.__doc__


def test_what_tests_share_needs_no_file_of_tests():
    """A folder of tests is on the path only once one of its own files was collected."""
    shared = Path(__file__).parents[1] / "support"
    needing = {
        p.name
        for p in shared.glob("*.py")
        if re.search(r"^from test_", p.read_text(), re.MULTILINE)
    }
    assert needing == set()


def test_only_the_kinds_of_rounds_ask_if_a_study_draws_groups():
    """All others ask the kind: what it needs, how it announces, which groups a round has."""
    asked = re.compile(r"\.(draws_groups|by_groups)\b")
    rounds = [file for file in NAMES if file.startswith(("federation/", "node/", "researcher/"))]
    asking = {file for file in rounds if asked.search((PACKAGE / file).read_text("utf-8"))}
    assert asking == {
        "federation/round_plan.py",
        "federation/round_strategy.py",
        "federation/group_cohort.py",
    }


def test_no_attack_is_left_to_the_slow_tests():
    """Whoever runs `make test` alone has tried each attack that has a file of its own."""
    attacks = sorted((Path(__file__).parents[1] / "attack").glob("test_*.py"))
    assert len(attacks) > 60
    slow = re.compile(r"mark\.slow\b")
    assert [file.name for file in attacks if slow.search(file.read_text("utf-8"))] == []
    processes = Path(__file__).parents[1] / "integration" / "test_rounds_consortium.py"
    assert slow.search(processes.read_text("utf-8"))
