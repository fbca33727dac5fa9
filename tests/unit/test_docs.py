"""The pages keep up with the code: commands, options, links, exit codes, quoted messages and
figures.
"""

import re
import shlex
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import click
import pytest
from conftest import protocol_text

from securefl.cli.main import cli
from securefl.datasite.address import site_email
from securefl.errors import ExitCode
from securefl.privacy.explain import guess_percent
from securefl.report import explain_study
from securefl.report.words import bytes_words
from securefl.researcher.run_study import _GOES_ON
from securefl.researcher.stopping import StoppedFromOutsideError
from securefl.study.parse import parse_protocol
from securefl.study.training import training_of

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *sorted(DOCS.rglob("*.md")),
    *sorted((ROOT / "protocols" / "studies").glob("*/README.md")),
]
TEXTS = {p.relative_to(ROOT).as_posix(): p.read_text("utf-8") for p in PAGES}
#: The program's texts, with literals that stand on several lines put together.
SOURCES = re.sub(
    r"\"\n\s*f?\"",
    "",
    "\n".join(p.read_text("utf-8") for p in sorted((ROOT / "securefl").rglob("*.py"))),
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"\w*\$ (securefl .*)")


def typed(text):
    """Complete commands: those after a prompt in a console block."""
    return [
        m[1]
        for kind, body in BLOCK.findall(text)
        if kind == "console"
        for line in body.splitlines()
        if (m := PROMPT.fullmatch(line))
    ]


def named(text):
    """Commands in running text, often without their arguments."""
    return re.findall(r"`(securefl [^`]+)`", BLOCK.sub("", text))


def resolve(words):
    """``(click command, the words after its name)``; fails for a command that does not exist."""
    command, rest = cli, list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        if rest[0] in {"...", "…"}:
            return command, []
        found = command.get_command(click.Context(command), rest[0])
        assert found is not None, f"there is no command {' '.join(words)}"
        command, rest = found, rest[1:]
    return command, rest


def options(command):
    return {
        "--help",
        "-h",
        *(o for p in command.params if isinstance(p, click.Option) for o in p.opts),
    }


COMMANDS = sorted(
    {(c, True) for t in TEXTS.values() for c in typed(t)}
    | {(c, False) for t in TEXTS.values() for c in named(t)}
)


@pytest.mark.parametrize(("line", "complete"), COMMANDS)
def test_every_command_on_a_page_exists_with_those_options(line, complete):
    command, rest = resolve(shlex.split(line)[1:])
    used = [w for w in rest if w.startswith("-") and w != "-"]
    assert set(used) <= options(command), line
    if not complete:
        return
    assert not isinstance(command, click.Group), f"{line} lacks a command"
    missing = [
        p.opts[0]
        for p in command.params
        if p.required and isinstance(p, click.Option) and not set(p.opts) & set(used)
    ]
    assert not missing, f"{line} lacks {missing}"
    takes = {
        o: not p.is_flag for p in command.params if isinstance(p, click.Option) for o in p.opts
    }
    plain = [
        w
        for i, w in enumerate(rest)
        if not w.startswith("-") and not (i and takes.get(rest[i - 1], False))
    ]
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    assert len(plain) >= sum(p.required for p in arguments), f"{line} lacks an argument"
    assert any(p.nargs == -1 for p in arguments) or len(plain) <= len(arguments), (
        f"{line} has an argument too many"
    )


def test_the_check_of_commands_finds_commands_and_can_fail():
    assert len(COMMANDS) > 40
    for wrong in ("securefl site strat", "securefl nothing"):
        with pytest.raises(AssertionError):
            test_every_command_on_a_page_exists_with_those_options(wrong, complete=False)
    for wrong in (
        "securefl site start --foreground",
        "securefl site review",
        "securefl site refuse first-study",
        "securefl site",
    ):
        with pytest.raises(AssertionError):
            test_every_command_on_a_page_exists_with_those_options(wrong, complete=True)


def leaves(group, path=("securefl",)):
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        yield from (
            leaves(command, (*path, name))
            if isinstance(command, click.Group)
            else [" ".join((*path, name))]
        )


def test_every_command_stands_on_some_page():
    everything = "\n".join(TEXTS.values())
    assert [c for c in leaves(cli) if c not in everything and c != "securefl demo"] == []


@pytest.mark.parametrize("page", TEXTS)
def test_every_relative_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", TEXTS[page]):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


@pytest.mark.parametrize("page", TEXTS)
def test_every_file_of_the_project_that_a_page_names_exists(page):
    for target in re.findall(
        r"`((?:tests|docs|examples|protocols|securefl)/[\w./-]+)`", TEXTS[page]
    ):
        assert (ROOT / target).exists(), f"{page}: {target}"


@pytest.mark.parametrize("page", TEXTS)
def test_a_page_names_no_machine_of_ours_and_no_package_index(page):
    text = TEXTS[page].replace("https://download.pytorch.org/whl/cpu", "")
    assert re.findall(r"(?<![\w.])/(?:work|home|root|tmp|Users)/", text) == []
    assert re.findall(r"(?i)pypi\.org|pythonhosted|index-url https?://", text) == []


@pytest.mark.parametrize(
    "page", ["docs/data-owner.md", "docs/researcher.md", "docs/aggregator.md", "docs/by-hand.md"]
)
def test_a_message_that_a_page_explains_is_one_that_the_program_says(page):
    rows = re.findall(
        r"^\| (`.*?`)[^|]*\|", TEXTS[page].split("## What can go wrong")[-1], re.MULTILINE
    )
    assert rows
    for row in rows:
        for quoted in re.findall(r"`([^`]+)`", row):
            for fragment in re.split(r"\.\.\.|…|\b\d+\b", quoted):
                words = fragment.strip(" ;:()")
                if len(words) > 7 and not words.endswith(".log") and "(" not in words:
                    assert words in SOURCES, f"{page}: {words!r}"


def test_the_exit_codes_are_those_of_the_program():
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", TEXTS["docs/exit-codes.md"], re.MULTILINE)
    assert {name: int(code) for code, name in rows} == {c.name: int(c) for c in ExitCode}


def test_the_row_of_sigterm_says_that_the_study_goes_on_as_it_does():
    (row,) = [line for line in TEXTS["docs/exit-codes.md"].splitlines() if "| 130 |" in line]
    _, _, after = row.partition("SIGTERM during")
    assert "not the study" in after
    assert issubclass(StoppedFromOutsideError, _GOES_ON)
    assert not issubclass(KeyboardInterrupt, _GOES_ON)  # Ctrl-C ends it


def test_names_map_to_pysyft_as_the_page_says():
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", TEXTS["docs/names.md"], re.MULTILINE)
    assert len(rows) == 2
    assert all(site_email(name) == address for name, address in rows)


def test_the_layout_names_every_room():
    rooms = {f"`securefl/{p.parent.name}/`" for p in (ROOT / "securefl").glob("*/__init__.py")}
    assert {r for r in rooms if r not in TEXTS["docs/layout.md"]} == set()


def test_decisions_say_their_number_and_none_stands_twice():
    # a number is taken when work begins, so a later one can be there first
    pages = sorted((DOCS / "decisions").glob("*.md"))
    numbers = [int(p.name[:4]) for p in pages]
    assert len(numbers) == len(set(numbers))
    for number, page in zip(numbers, pages, strict=True):
        assert page.read_text("utf-8").startswith(f"# {number}. ")


def test_the_glossary_is_in_order():
    words = [
        w.lower() for w in re.findall(r"^\*\*(.+?)\*\*", TEXTS["docs/glossary.md"], re.MULTILINE)
    ]
    assert words == sorted(words)


def test_the_readme_opens_with_the_two_commands():
    first = BLOCK.search(TEXTS["README.md"])
    assert first[2] == "$ make demo\n$ make test\n"
    assert TEXTS["README.md"].index("does not protect against") < TEXTS["README.md"].index(
        "## What you see"
    )


def test_the_readme_shows_the_thyroid_study_as_it_is():
    study = parse_protocol(
        (ROOT / "protocols" / "studies" / "thyroid" / "protocol.toml").read_bytes()
    )
    shown = " ".join(TEXTS["README.md"].split())
    update = explain_study.leaving(study)[0]
    assert (
        f"{update.times} times: one encrypted list of {update.values} numbers blurred with noise,"
        f" {bytes_words(update.size)}" in shown
    )


def test_what_an_epsilon_means_is_computed():
    assert (
        f"a coin-flip guess rises to {guess_percent(Decimal(1))} at most"
        in TEXTS["docs/glossary.md"]
    )
    assert f"from 50 % to at most {guess_percent(Decimal(3))}" in TEXTS["docs/data-owner.md"]
    assert f"from 50 % to at most {guess_percent(Decimal(1))}" in " ".join(
        TEXTS["README.md"].split()
    )


def test_the_first_study_has_the_smallest_noise_for_its_epsilon():
    from securefl.privacy.planning import noise_for_epsilon

    study = parse_protocol(
        (ROOT / "protocols" / "studies" / "first-study" / "protocol.toml").read_bytes()
    )
    p = training_of(study)
    assert (
        noise_for_epsilon(p.epsilon, study.privacy.delta, Fraction(p.sample_rate), p.steps)
        == p.noise_multiplier
    )
    assert (
        f"Noise multipliers {p.noise_multiplier} "
        in TEXTS["protocols/studies/first-study/README.md"]
    )


TOML = re.findall(r"^```toml\n(\[data.*?)^```", TEXTS["docs/protocol.md"], re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", TOML, ids=[block.splitlines()[1][:40] for block in TOML])
def test_columns_and_labels_on_the_page_are_those_that_a_protocol_can_have(block):
    text = protocol_text()
    data, label, after = (
        text.index(head) for head in ("[data]", "[data.label]", '[privacy]\nunit = "patient"')
    )
    parts = (
        (text[:label], block, text[after:])
        if block.startswith("[data.label]")
        else (text[:data], block, text[label:])
    )
    parse_protocol("\n".join(parts))


def test_the_page_on_protocols_shows_every_kind_of_label_and_of_column():
    assert len(TOML) == 9
    kinds = set(re.findall(r'kind = "([a-z-]+)"', "".join(TOML)))
    assert kinds == {
        "numeric",
        "category",
        "boolean",
        "equals",
        "any-of-letters",
        "at-least",
        "any-of",
        "classes",
        "number",
        "count",
        "time-to-event",
    }
