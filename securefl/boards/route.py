"""Route to a store on a server: the house's proxy, and the authorities that vouch for the server.

A hospital's network often lets nothing out but through one proxy, and the certificates that its
machines meet are signed by an authority of its own. Both stand in a party's settings, beside the
store, so that a service that starts with the machine finds them too.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from securefl.boards.url import without_password
from securefl.errors import UsageError

if TYPE_CHECKING:
    import ssl

#: Schemes of stores that are reached over HTTP, and those over SSH.
_HTTP: Final = frozenset({"s3", "s3a", "dav", "davs", "webdav", "webdavs"})
_SSH: Final = frozenset({"sftp", "ssh"})
#: Variables from which the clients of a kind take authorities where the settings name none.
_BUNDLES: Final = {"s3": "AWS_CA_BUNDLE", "s3a": "AWS_CA_BUNDLE"}
_BUNDLE: Final = "SSL_CERT_FILE"
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Route:
    """Route to a store on a server.

    Attributes:
        proxy: URL of an HTTP proxy. Empty: as the environment says, for what HTTP carries.
        ca_file: file (PEM) with the certificates of the only authorities that are believed. Empty:
            the public ones.
    """

    proxy: str = ""
    ca_file: str = ""

    def check(self, url: str) -> None:
        """Refuse a route that a store of this kind does not take, or that leads nowhere.

        Raises:
            UsageError: with the mend.
        """
        if self == DIRECT:
            return
        scheme = scheme_of(url)
        if scheme not in _HTTP | _SSH:
            raise UsageError(
                f"{without_password(url)} is a store that takes no proxy and no certificate"
                " authority from the settings.",
                next_step="Leave `store_proxy` and `store_ca` out. They are for S3, WebDAV and SFTP.",
            )
        if self.ca_file and scheme in _SSH:
            raise UsageError(
                "SFTP knows no certificate authorities: a host is known by its own key.",
                next_step="Leave `store_ca` out, and write the host's key into ~/.ssh/known_hosts.",
            )
        if self.proxy:
            _check_proxy(self.proxy)
        if self.ca_file:
            self.authorities()

    def authorities(self) -> ssl.SSLContext:
        """TLS as a client speaks it, that believes these authorities alone.

        Raises:
            UsageError: the file cannot be read, or holds no certificate.
        """
        import ssl  # here, as nobody needs it for a folder

        if not self.ca_file:
            return ssl.create_default_context()
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except ssl.SSLError:
            fault = "holds no certificate in PEM form"
        except OSError as error:
            fault = f"cannot be read: {error.strerror}"
        raise UsageError(
            f"{self.ca_file} {fault}.",
            next_step=(
                "Name a file with the certificate of your house's authority as `store_ca`"
                " (`-----BEGIN CERTIFICATE-----`). Whoever runs your network has it."
            ),
        )

    def words(self, url: str) -> str:
        """A sentence's part for the owner: by which proxy, and who vouches for the server."""
        scheme = scheme_of(url)
        if scheme in _SSH:
            return f"{self._proxy_words()}; the host's key must stand in ~/.ssh/known_hosts"
        bundle = _BUNDLES.get(scheme, _BUNDLE)
        if self.ca_file:
            vouching = f"the authorities in {self.ca_file} alone"
        elif os.environ.get(bundle):
            vouching = f"the authorities in {os.environ[bundle]} ({bundle})"
        else:
            vouching = "the public authorities"
        return (
            f"{self._proxy_words(_of_environment())}; its certificate must be signed by {vouching}"
        )

    def _proxy_words(self, named: str = "") -> str:
        if self.proxy:
            return f"through the proxy {self.proxy}"
        if named:
            return f"through the proxy {without_password(named)} of this account's environment"
        return "straight, without a proxy"


#: Straight, with the public authorities.
DIRECT: Final = Route()


def scheme_of(url: str) -> str:
    """The scheme of a store's URL; ``file`` for a path."""
    scheme, colon, _ = url.partition("://")
    if not colon:
        return "file"
    return scheme


def on_a_server(url: str) -> bool:
    """True for a store to which a route leads."""
    return scheme_of(url) in _HTTP | _SSH


def proxy_address(proxy: str) -> tuple[str, int]:
    """Host and port of a proxy that was checked."""
    parts = urlsplit(proxy)
    return parts.hostname or "", parts.port or _PORTS[parts.scheme]


def _of_environment() -> str:
    """The proxy that this account's environment names for HTTP; the one for TLS comes first."""
    from urllib.request import getproxies_environment

    named = getproxies_environment()
    return next((named[scheme] for scheme in ("https", "http", "all") if scheme in named), "")


def _check_proxy(proxy: str) -> None:
    try:
        parts = urlsplit(proxy)
        port = parts.port
    except ValueError:
        raise _no_proxy(proxy) from None
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            f"The proxy {without_password(proxy)} comes with a name, and settings hold no"
            " passwords.",
            next_step=(
                "Leave `store_proxy` out and set HTTPS_PROXY for this account, in a file that it"
                " alone reads."
            ),
        )
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or port == 0:
        raise _no_proxy(proxy)


def _no_proxy(proxy: str) -> UsageError:
    return UsageError(
        f"{without_password(proxy)} is no proxy's address.",
        next_step="Write it as `http://proxy.hospital.example:3128`; whoever runs your network knows it.",
    )
