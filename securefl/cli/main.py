"""``securefl``: the door to every role's commands.

Commands are imported when they are called, not before.
"""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from typing import TYPE_CHECKING

import click

from securefl.cli.nouns import speak
from securefl.errors import ExitCode, ScreenError, SecureFLError, UsageError, file_error

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Command → (module, object, the line in `securefl --help`). Help costs no framework.
_COMMANDS = {
    "demo": (
        "securefl.cli.demo",
        "demo",
        "Five hospitals train one model together, on this machine, with published data.",
    ),
    "site": (
        "securefl.cli.site",
        "site",
        "A hospital: keys, data sets, budget, requests, approvals, agent.",
    ),
    "study": (
        "securefl.cli.study",
        "study",
        "A researcher: make a study, request it, run it, report.",
    ),
    "aggregator": (
        "securefl.cli.aggregator",
        "aggregator",
        "The neutral party that adds ciphertexts without a key.",
    ),
    "consortium": (
        "securefl.cli.consortium",
        "consortium",
        "An agreement that all parties sign and each hospital's machine holds.",
    ),
    "board": (
        "securefl.cli.board",
        "board",
        "Carry a store by files, where the machines share none.",
    ),
    "flower": (
        "securefl.cli.flower",
        "flower",
        "Carry the store's objects over this machine's Flower SuperNode.",
    ),
    "audit": (
        "securefl.cli.audit",
        "audit",
        "What a hospital's ledger says, and whether anybody altered it.",
    ),
    "model": (
        "securefl.cli.model",
        "model",
        "A trained model: write it for other programs, compare it with another.",
    ),
    "predict": ("securefl.cli.predict", "predict", "Score a table with a trained model."),
    "examples": (
        "securefl.cli.examples",
        "examples",
        "Notebooks to begin with, on invented patients.",
    ),
    "bench": (
        "securefl.cli.bench",
        "bench",
        "Measure the secure sum and whole rounds on this machine.",
    ),
    "doctor": (
        "securefl.cli.doctor",
        "doctor",
        "Check this machine: versions, encryption, store, clock, keys.",
    ),
    "store": (
        "securefl.cli.store",
        "store",
        "Try a store, and print the rule by which its operator keeps parties apart.",
    ),
    "completion": (
        "securefl.cli.completion",
        "completion",
        "Let the shell complete commands and names.",
    ),
    "selftest": (
        "securefl.cli.selftest",
        "selftest",
        "Try this installation's noise on invented patients.",
    ),
}
#: What a shell expects of a program that Ctrl-C stopped.
_STOPPED = 130


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        module, name, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in _COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="securefl", prog_name="securefl")
def cli() -> None:
    """Hospitals train one model together: approved code only, a privacy budget that holds, and only
    the sum opens.

    Start with `securefl demo`. Each role works in a folder of its own: a hospital in a site folder,
    a researcher and an aggregator in theirs. Exit codes: 0 done, 1 crash, 2 usage, 3 ledger
    altered, 4 unreadable, 5 study invalid, 6 not approved, 7 budget, 8 round failed, 9 untrusted,
    10 store, 11 data, 13 done but not printed, 130 stopped with Ctrl-C.
    """
    speak(None)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; whatever goes wrong is a page with the next step, never a traceback.

    Args:
        arguments: instead of the process's own.
    """
    from securefl.cli.streams import lasting_streams

    out, err = lasting_streams()
    usual, warnings.showwarning = warnings.showwarning, _show_warning
    code = _run(arguments)
    warnings.showwarning = usual
    out.flush()
    if out.failure is not None and not out.reader_left and code == 0:
        _show(
            ScreenError(
                f"What this command printed could not be written: {out.failure.strerror}. What it"
                " was asked to do is done.",
                next_step="Free some space, or write to another file.",
            )
        )
        code = int(ExitCode.SCREEN)
    err.flush()
    if code:
        sys.exit(code)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    *_: object,
    **__: object,
) -> None:
    """Show a warning as a sentence: a line of our source is nothing to a person at a screen."""
    from securefl.report.characters import shown

    text = f"ATTENTION: {shown(str(message))}"
    if not issubclass(category, UserWarning):
        text = warnings.formatwarning(message, category, filename, lineno).rstrip()
    click.echo(text, err=True)


def _run(arguments: Sequence[str] | None) -> int:
    """The command's exit code; its error is on the screen by then."""
    from securefl.cli.screen import DeclinedError

    code = 0
    try:
        cli(arguments, standalone_mode=False)
    except DeclinedError as error:
        click.echo(str(error), err=True)
        code = int(ExitCode.USAGE)
    except SecureFLError as error:
        _show(error)
        code = _STOPPED
        if not isinstance(error.__cause__, KeyboardInterrupt):
            code = int(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        code = _STOPPED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = int(ExitCode.USAGE)
    except click.exceptions.Exit as error:
        code = int(error.exit_code)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except Exception as error:  # noqa: BLE001 - the last wall: no input and no errno gives a traceback
        found = _as_ours(error)
        _show(found)
        code = int(found.exit_code)
    return code


def _as_ours(error: Exception) -> SecureFLError:
    """An error that is none of ours, as a page can show it."""
    if isinstance(error, click.ClickException):
        said = error.format_message()
        what = said
        if not said.endswith((".", "!", "?")):
            what = f"{said}."
        context = None
        if isinstance(error, click.UsageError):
            context = error.ctx
        return UsageError(
            what,
            next_step=f"`{context.command_path} --help` shows how it is called." if context else "",
        )
    if isinstance(error, OSError):
        return file_error(error)
    if isinstance(error, UnicodeEncodeError):
        shown = error.object.encode("utf-8", "replace").decode()
        return UsageError(
            f"A name or text holds bytes that are not UTF-8: {shown}",
            next_step="Rename the file, or write the text in UTF-8.",
        )
    from securefl.cli.faults import fault

    return fault(error)


def _show(error: SecureFLError) -> None:
    from securefl.cli.screen import show_error

    show_error(error)
