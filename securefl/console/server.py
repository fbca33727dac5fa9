"""Server of the console: one address of this machine, which no other machine can reach.

It listens on 127.0.0.1 alone. Addresses hold secrets, so no request is written into a log.
"""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import uvicorn

from securefl.console.application import Console, make_application
from securefl.console.desk import Desk
from securefl.console.guard import OPEN
from securefl.console.session import Sessions
from securefl.console.views.audit import read_audit_ahead
from securefl.console.views.requests import read_ahead
from securefl.errors import UsageError
from securefl.node.owner.requests import waiting_requests
from securefl.undumpable import make_undumpable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from securefl.errors import SecureFLError

HOST: Final = "127.0.0.1"
#: Connections at a time: one person's tabs.
_CONNECTIONS: Final = 64


class ConsoleServer:
    """A console of one hospital's folder.

    Args:
        folder: the hospital's.
        port: 0 for any that is free.
        fault: makes an error that is none of ours one that a page can show.
        language: of the pages; empty for the one that the browser asks for.
        clock: monotonic, in seconds.

    Raises:
        UsageError: the port cannot be had.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        fault: Callable[[Exception], SecureFLError],
        *,
        language: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # keys are opened in this process: nobody else of this user reads its memory
        make_undumpable()
        self._socket = _listening(port)
        self._authority = f"{HOST}:{self._socket.getsockname()[1]}"
        self._sessions = Sessions(clock)
        self._folder = folder
        self._fault = fault
        self._language = language
        self._server: uvicorn.Server | None = None

    def new_link(self) -> str:
        """Address that opens a session, once."""
        return f"http://{self._authority}/{OPEN}/{self._sessions.new_link()}"

    def run(self) -> None:
        """Serve until the process is told to end (SIGINT, SIGTERM)."""
        asyncio.run(self._serve())

    def stop(self) -> None:
        """Ask a running server to end, from any thread."""
        if self._server is not None:
            self._server.should_exit = True

    def _ends(self) -> bool:
        return self._server is not None and self._server.should_exit

    async def _serve(self) -> None:
        async with self._console() as console:
            settings = uvicorn.Config(
                make_application(console, self._authority),
                access_log=False,
                http="h11",
                lifespan="off",
                limit_concurrency=_CONNECTIONS,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=3,
                ws="none",
            )
            self._server = uvicorn.Server(settings)
            ahead = asyncio.create_task(read_all_ahead(console))
            ahead.add_done_callback(_forget)
            await self._server.serve([self._socket])
            ahead.cancel()

    @asynccontextmanager
    async def _console(self) -> AsyncIterator[Console]:
        reading = Desk(self._folder, "reading")
        deciding = Desk(self._folder, "deciding")
        try:
            yield Console(
                reading,
                deciding,
                self._sessions,
                self._fault,
                self._ends,
                self._language,
            )
        finally:
            reading.close()
            deciding.close()


async def read_all_ahead(console: Console) -> None:
    """Read what the first pages need before they are asked for.

    While the browser starts, the ledger and the list of requests. Once the first page is drawn, the
    newest request with its rows, and the whole ledger for the audit: the first page waits for
    neither. An error of either is for its page to tell.
    """
    await console.reading.ask(waiting_requests)
    await console.first_shown.wait()
    await console.reading.ask(partial(read_ahead, now=datetime.now(UTC)))
    await console.reading.ask(read_audit_ahead)


def _forget(ahead: asyncio.Task[None]) -> None:
    """Let an error of reading ahead go: the page that meets it tells it."""
    if not ahead.cancelled():
        ahead.exception()


def _listening(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(_CONNECTIONS)
    except (OSError, OverflowError) as error:
        listening.close()
        raise UsageError(
            f"The console cannot listen on port {port}: {getattr(error, 'strerror', error)}.",
            next_step="Choose another with --port, or leave it out for one that is free.",
        ) from None
    return listening
