"""Parts that commands share: the screen, JSON for programs, the folder options, asking before what cannot
be undone.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.nouns import spoken
from securefl.errors import SecureFLError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from securefl.report.page import Page


class DeclinedError(Exception):
    """A person was asked and said no: no error of anybody's, so nobody has to mend anything."""


@cache
def screen() -> Console:
    """Standard output; plain where it is not a terminal, at most 100 columns wide."""
    from rich.console import Console

    wide = Console()
    return Console(width=min(wide.width, 100), highlight=False, soft_wrap=False)


def show_error(error: SecureFLError) -> None:
    """The error's page, on standard error."""
    from rich.console import Console

    from securefl.report.errors import error_page
    from securefl.report.terminal import drawn

    Console(stderr=True, highlight=False).print(drawn(error_page(error, spoken())))


def show_page(page: Page, html_file: str | None = None) -> None:
    """Show a page on standard output, and write it to a file where ``--html`` names one.

    Raises:
        UsageError: the file cannot be written.
    """
    from securefl.report.terminal import drawn

    if html_file:
        write_page(page, html_file)
    screen().print(drawn(_in_words(page)))
    if html_file:
        say(f"The page is {html_file}: open it in a browser, or print it.")


def write_page(page: Page, target: str) -> None:
    """Write a page as HTML; nothing is said, since JSON may stand on standard output.

    Raises:
        UsageError: the file cannot be written.
    """
    from securefl.report.html import html_page

    _write(html_page(_in_words(page)), target)


def _in_words(page: Page) -> Page:
    from securefl.report.wording import in_words

    return in_words(page, spoken())


def card_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Arguments of ``trust``, the same for every role: the cards, and how their owner was asked."""
    options = (
        click.argument(
            "cards", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False)
        ),
        click.option(
            "--fingerprint", help="The groups you were read by telephone (one card only)."
        ),
        click.option(
            "--vouch",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="A hospital's signed word for the card, in place of your call (one card only).",
        ),
        click.option("--yes", is_flag=True, help="You have compared the fingerprints already."),
        click.option("--remove", metavar="NAME", help="Take a name off the list."),
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def html_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--html FILE`` for a browser."""
    return click.option(
        "--html",
        "html_file",
        metavar="FILE",
        help="Also write the page as HTML: one file, no network.",
    )(command)


def say(text: str) -> None:
    """Print a line of our own; nothing in it is taken for markup.

    What a screen may not show is spelled out. A terminal gets it broken between words, and a word
    longer than a line whole, so that it can be copied. A file gets it as one line, for programs.
    """
    from securefl.report.characters import shown

    words = shown(spoken().say(text), keep_lines=True)
    if screen().is_terminal:
        words = "\n".join(_filled(line, screen().width) for line in words.split("\n"))
    screen().print(words, markup=False, soft_wrap=True)


def _filled(line: str, width: int) -> str:
    """One line as several, further ones set in as the first is; words stay whole."""
    margin = line[: len(line) - len(line.lstrip(" "))]
    return textwrap.fill(
        line,
        width,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )


def say_quoted(text: str) -> None:
    """Another party's words, on lines of their own behind a bar."""
    from securefl.report.characters import quoted_lines
    from securefl.report.terminal import BAR, BAR_COLUMNS

    for line in quoted_lines(text, screen().width - BAR_COLUMNS - 2):
        screen().print(f"  {BAR}{line}".rstrip(), markup=False, soft_wrap=True)


def write_json(value: Any, target: str) -> None:  # noqa: ANN401 - any JSON value
    """JSON to a file, or to standard output for ``-``."""
    write_text(
        json.dumps(
            value,
            indent=2,
            ensure_ascii=False,
            allow_nan=False,
        )
        + "\n",
        target,
    )


def write_text(text: str, target: str) -> None:
    """Text to a file, or to standard output for ``-``.

    That a file was written is said on standard error: JSON on standard output stays whole.

    Raises:
        UsageError: the file cannot be written.
    """
    from securefl.report.characters import shown

    if target == "-":
        sys.stdout.write(text)
        return
    _write(text, target)
    click.echo(f"Wrote {shown(target)}.", err=True)


def _write(text: str, target: str) -> None:
    """Write a file of one's own: pages and figures of a hospital are for its owner's eyes."""
    try:
        with open(target, "w", encoding="utf-8", opener=_for_the_owner) as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written: {error.strerror}.", next_step="Name another file."
        ) from None


def _for_the_owner(path: str, flags: int) -> int:
    """Open a file; one that is new is readable by its owner alone (0600)."""
    return os.open(path, flags, 0o600)


def protocol_out_option(
    what: str,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--out FILE`` of a command that writes a study file, ``what`` by its help."""
    return click.option(
        "--out",
        metavar="FILE",
        default="protocol.toml",
        show_default=True,
        type=click.Path(path_type=Path),
        help=f"{what}; never overwritten.",
    )


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--json FILE`` for programs."""
    return click.option(
        "--json",
        "json_file",
        metavar="FILE",
        help="Also write the result as JSON; '-' prints it instead.",
    )(command)


def folder_option(name: str, variable: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--site``, ``--researcher`` or ``--aggregator``: the role's folder."""
    return click.option(
        f"--{name}",
        "folder",
        metavar="DIR",
        help=f"The {name}'s folder; else ${variable}, else the current folder.",
    )


def confirm(question: str, *, yes: bool, read: str = "") -> None:
    """Ask before something that cannot be undone.

    Without a terminal the answer must be given as ``--yes``.

    Args:
        question: ends with a question mark.
        yes: the answer was given with the command.
        read: what stands above the question and should be read first ("the page above"); empty
            where there is nothing.

    Raises:
        UsageError: nobody can be asked.
        DeclinedError: the answer is no.
    """
    if yes:
        return
    question = spoken().say(question)
    if not sys.stdin.isatty():
        first = "Repeat"
        if read:
            first = f"Read {read}, then repeat"
        raise UsageError(
            f"This needs a yes, and nobody can be asked here: {question}",
            next_step=f"{first} the command with --yes.",
        )
    if not click.confirm(question, default=False):
        raise DeclinedError("Nothing was done.")
