"""``securefl site console``: the owner's use cases in a browser, on this machine alone."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import click

from securefl.cli.screen import say
from securefl.cli.site_folder import open_site, site_option

if TYPE_CHECKING:
    from securefl.console.server import ConsoleServer


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port of this machine; without it one that is free.",
)
@click.option("--no-browser", is_flag=True, help="Only print the link.")
@click.option(
    "--language",
    type=click.Choice(["en", "de"]),
    help="Language of the pages; without it the one that the browser asks for.",
)
@site_option
def console(
    port: int,
    no_browser: bool,
    language: str | None,
    folder: str | None,
) -> None:
    """Read requests, decide, and see what runs in a browser, until Ctrl-C.

    The pages are served on 127.0.0.1 alone: nobody reaches them from another machine. The link
    opens them once; Enter shows a new one. A session ends after half an hour without you.
    """
    from securefl.cli.faults import fault
    from securefl.console.link_file import erase_link_file, open_in_browser
    from securefl.console.server import ConsoleServer

    here = open_site(folder)
    # whoever cannot sign is told here, and not on a page
    here.ledger.close()
    server = ConsoleServer(here.path, port, fault, language=language or "")
    link = server.new_link()
    say(f"The console of {here.name}: {link}")
    say("The link opens it once, within ten minutes, on this machine. Ctrl-C ends the console.")
    if not no_browser:
        open_in_browser(here.path, link)
    if sys.stdin is not None and sys.stdin.isatty():
        threading.Thread(target=_new_links, args=(server,), daemon=True).start()
        say("Enter shows a new link.")
    try:
        server.run()
    finally:
        erase_link_file(here.path)


def _new_links(server: ConsoleServer) -> None:
    """Show a new link for each Enter."""
    for _ in sys.stdin:
        say(server.new_link())
