"""Diagnosis of a store that cannot be reached: which of proxy, certificate and network it was, and
what to do next.

The packages that speak to servers have errors of their own, one inside another. What lies at the
bottom is named by a class of Python's or by a name that they share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.boards.url import reason
from securefl.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.boards.route import Route

#: How far errors are followed to those that caused them.
_DEPTH: Final = 12
#: Names of errors of a proxy that answers and refuses, or that is not there: botocore's, and those
#: of urllib3, httpx and this module.
_PROXY: Final = frozenset({"ProxyConnectionError", "ProxyError"})
#: Names of errors of a host that is not there: theirs and paramiko's.
_UNREACHED: Final = frozenset(
    {
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ConnectError",
        "ConnectTimeout",
        "NoValidConnectionsError",
        "ConnectionRefusedError",
        "gaierror",
    }
)
#: Python's error of a certificate that is not believed.
_CERTIFICATE: Final = "SSLCertVerificationError"
#: OpenSSL's codes: not valid yet, not valid any more; another host's name, another address.
_TIME: Final = frozenset({9, 10})
_NAME: Final = frozenset({62, 64})


class ProxyError(OSError):
    """The proxy did not let a connection through."""


class UnreachedError(StoreError):
    """The store was not reached: its proxy, its certificate or the network is in the way."""

    default_whose = "whoever runs your network"


def trouble(
    error: Exception,
    route: Route,
    *,
    what: str,
    usual: str,
) -> StoreError:
    """The error of a store, in our words.

    Args:
        error: as the package raised it.
        route: how the store is reached.
        what: what cannot be done with which store.
        usual: the next step where the store was reached.
    """
    said = f"{what}: {reason(error)}."
    step = _next_step(error, route)
    if step:
        return UnreachedError(said, next_step=step)
    return StoreError(said, next_step=usual)


def _next_step(error: BaseException, route: Route) -> str:
    """The next step where the store was not reached; empty where it was, or nothing tells."""
    behind = {type(one).__name__: one for one in _chain(error)}
    if _CERTIFICATE in behind:  # a client may say of it that it could not connect
        return _certificate(getattr(behind[_CERTIFICATE], "verify_code", 0), route)
    unreached = not _UNREACHED.isdisjoint(behind)
    if not _PROXY.isdisjoint(behind) or (unreached and route.proxy):
        return _proxy(route)
    if unreached:
        return (
            "Check the address and the network. Where your house lets nothing out but through"
            " a proxy, name it as `store_proxy` in the settings."
        )
    return ""


def _proxy(route: Route) -> str:
    if not route.proxy:
        return (
            "Ask whoever runs your network whether the proxy that HTTPS_PROXY names lets this"
            " machine reach the store."
        )
    return (
        f"Ask whoever runs your network whether the proxy {route.proxy} is the right one and lets"
        " this machine reach the store; mend `store_proxy` in the settings."
    )


def _certificate(code: int, route: Route) -> str:
    if code in _TIME:
        return (
            "The server's certificate is not valid today. See that this machine's clock is right;"
            " else whoever operates the store renews it."
        )
    if code in _NAME:
        return (
            "The server's certificate is for another name. See that the store's address is right,"
            " and that it leads to the store."
        )
    if route.ca_file:
        return (
            f"No authority in {route.ca_file} signed the server's certificate. Ask whoever runs"
            " your network for the right file, and name it as `store_ca` in the settings."
        )
    return (
        "No authority that this machine knows signed the server's certificate. Where your house"
        " has an authority of its own, name the file of its certificate as `store_ca` in the"
        " settings; else somebody stands between you and the store."
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those behind it."""
    waiting: list[BaseException | None] = [error]
    for _ in range(_DEPTH):
        if not waiting:
            return
        one = waiting.pop(0)
        if one is not None:
            yield one
            waiting += [one.__cause__, one.__context__]
