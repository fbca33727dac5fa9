"""Completion in the shell: the script that a shell reads, and names of requests after a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

if TYPE_CHECKING:
    from click import Context, Parameter

#: Shells for which click writes a script.
_SHELLS = ("bash", "zsh", "fish")
_PROGRAM = "securefl"
_VARIABLE = "_SECUREFL_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print the script that lets a shell complete commands, options and names of requests.

    For bash: eval "$(securefl completion bash)" in ~/.bashrc; for zsh the same in ~/.zshrc; for
    fish: securefl completion fish > ~/.config/fish/completions/securefl.fish
    """
    from securefl.cli.main import cli

    made = get_completion_class(shell)
    if made is None:  # a click that no longer knows the shell
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(made(cli, {}, _PROGRAM, _VARIABLE).source())


def complete_request(context: Context, _: Parameter, begun: str) -> list[CompletionItem]:
    """Names of the requests that came in, the newest first. Nothing but their names is read.

    A folder that cannot be read completes to nothing: the command itself says why.
    """
    from securefl.errors import SecureFLError
    from securefl.node.owner.requests import request_names
    from securefl.party.folder import find_folder

    try:
        names = request_names(find_folder(context.params.get("folder"), "SECUREFL_SITE"))
    except (OSError, SecureFLError):
        return []
    return [CompletionItem(name) for name in names if name.startswith(begun)]
