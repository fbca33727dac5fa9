"""Tunnel to an SSH host: through an HTTP proxy, or through what the account's ssh settings name.

An HTTP proxy connects to a host and a port where it is asked with CONNECT (RFC 9110, 9.3.6), and
hands on bytes from then on.
"""

from __future__ import annotations

import shlex
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from securefl.boards.diagnosis import ProxyError
from securefl.boards.route import proxy_address

if TYPE_CHECKING:
    from securefl.boards.route import Route

#: Bytes of a proxy's answer, at most, before what the host itself says.
_ANSWER: Final = 16_384
_END: Final = b"\r\n\r\n"
#: Port of SSH where a store's address names none.
_SSH: Final = 22


def tunnel(route: Route, host: str, port: int | None, seconds: float) -> Any:  # noqa: ANN401 - a socket, or paramiko's like of one
    """A connection to the host by the route, or None where it is reached straight.

    Args:
        route: may name a proxy; else ``ProxyCommand`` and ``ProxyJump`` of ``~/.ssh/config`` count.
        host: the SSH server's.
        port: its; None for the usual one.
        seconds: until a proxy that does not answer is an error.

    Raises:
        ProxyError: the proxy does not let it through.
        OSError: the proxy is not there.
    """
    if route.proxy:
        return _connected(route.proxy, host, port or _SSH, seconds)
    command = _own_command(host, port or _SSH)
    if not command:
        return None
    import paramiko

    return paramiko.ProxyCommand(command)


def _connected(proxy: str, host: str, port: int, seconds: float) -> socket.socket:
    at = proxy_address(proxy)
    made = socket.create_connection(at, seconds)
    try:
        if urlsplit(proxy).scheme == "https":
            import ssl

            made = ssl.create_default_context().wrap_socket(made, server_hostname=at[0])
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        made.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode("ascii"))
        _check_connected(_answer(made), proxy, place)
    except BaseException:
        made.close()
        raise
    return made


def _check_connected(said: bytes, proxy: str, place: str) -> None:
    """Refuse an answer that is not "connected".

    Raises:
        ProxyError: with the proxy's own words.
    """
    line = said.split(b"\r\n", 1)[0].decode("latin-1")
    version, _, rest = line.partition(" ")
    if version.startswith("HTTP/1.") and rest.startswith("200"):
        return
    shown = "".join(c for c in line if c.isprintable())[:100] or "no answer"
    raise ProxyError(f"the proxy {proxy} does not connect to {place}: {shown}")


def _answer(made: socket.socket) -> bytes:
    """The proxy's answer to its end, and not a byte of what follows: the host speaks first."""
    said = bytearray()
    while not said.endswith(_END) and len(said) < _ANSWER:
        byte = made.recv(1)
        if not byte:
            break
        said += byte
    return bytes(said)


def _own_command(host: str, port: int) -> str:
    """The command by which this account's ssh reaches the host; empty where it connects itself."""
    import paramiko

    file = Path.home() / ".ssh" / "config"
    if not file.is_file():
        return ""
    said = paramiko.SSHConfig.from_path(str(file)).lookup(host)
    command = str(said.get("proxycommand", ""))
    if command:
        return "" if command.lower() == "none" else command
    jumps = [jump for jump in str(said.get("proxyjump", "none")).split(",") if jump != "none"]
    if not jumps:
        return ""
    *earlier, last = jumps
    words = ["ssh", "-o", "BatchMode=yes", "-W", f"[{host}]:{port}"]
    if earlier:
        words += ["-J", ",".join(earlier)]
    return shlex.join([*words, "--", f"ssh://{last.removeprefix('ssh://')}"])
