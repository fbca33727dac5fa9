"""A house whose network lets nothing out but through one proxy, and whose certificates an authority
of its own signs: the authority, TLS before a server, and the proxy.
"""

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

#: A name that resolves nowhere (RFC 6761): only the proxy knows where it leads.
HOST = "store.hospital.test"


@dataclass(frozen=True)
class Authority:
    """An authority: its certificate's file, and a server's with its key."""

    file: Path
    server: Path


def authority(folder, name=HOST, days=1):
    """A new authority, and a server's certificate for ``name`` that is good for ``days``."""
    folder.mkdir()
    now = dt.datetime.now(dt.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("House CA", name)
    ]

    def certificate(of, usage, constraint):
        made = x509.CertificateBuilder(
            names[0],
            names[of],
            keys[of].public_key(),
            x509.random_serial_number(),
            now - dt.timedelta(days=2),
            now + dt.timedelta(days=2 if of == 0 else days),
        )
        made = made.add_extension(constraint, critical=True)
        made = made.add_extension(usage, critical=True)
        made = made.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(keys[of].public_key()), critical=False
        )
        made = made.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()),
            critical=False,
        )
        if of:
            alternative = x509.SubjectAlternativeName([x509.DNSName(name)])
            made = made.add_extension(alternative, critical=False)
        return made.sign(keys[0], hashes.SHA256())

    signs, serves = (
        x509.KeyUsage(
            digital_signature=not authority,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=authority,
            crl_sign=authority,
            encipher_only=False,
            decipher_only=False,
        )
        for authority in (True, False)
    )
    pem = serialization.Encoding.PEM
    root = certificate(0, signs, x509.BasicConstraints(ca=True, path_length=None))
    leaf = certificate(1, serves, x509.BasicConstraints(ca=False, path_length=None))
    (folder / "ca.pem").write_bytes(root.public_bytes(pem))
    (folder / "server.pem").write_bytes(
        keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + leaf.public_bytes(pem)
    )
    return Authority(folder / "ca.pem", folder / "server.pem")


def _pass_on(source, target):
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            target.sendall(piece)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _join(one, other):
    """Hand on what comes at either side until one of them ends."""
    back = threading.Thread(target=_pass_on, args=(other, one), daemon=True)
    back.start()
    _pass_on(one, other)
    back.join()
    one.close()
    other.close()


@contextlib.contextmanager
def _listening(serve):
    """Serve each connection in a thread; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


async def _pass_on_decrypted(reader, writer):
    with contextlib.suppress(OSError, ssl.SSLError):
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()


@contextlib.contextmanager
def tls(port, server):
    """TLS with a server's certificate before the server at ``port``; yields another port.

    In one thread: a TLS connection bears no two.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # clients that refuse the certificate go away

    async def serve(reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass_on_decrypted(reader, back), _pass_on_decrypted(there, writer))

    serving = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield serving.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        serving.close()


@dataclass
class Proxy:
    """A proxy that lets through to one host alone, and counts.

    Attributes:
        port: its own.
        asked: each place that it was asked for, in order.
    """

    port: int = 0
    asked: list = field(default_factory=list)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def proxy(host=HOST):
    """A proxy that connects to the ports of ``host``, which are this machine's, and to no other."""
    made = Proxy()

    def serve(connection):
        with contextlib.suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                byte = connection.recv(1)
                if not byte:
                    return
                head += byte
            word, place, _ = head.split(b" ", 2)
            name, _, port = place.decode().rpartition(":")
            made.asked.append(f"{word.decode()} {name}")
            if word != b"CONNECT" or name != host:
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                connection.close()
                return
            inner = socket.create_connection(("127.0.0.1", int(port)))
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _join(connection, inner)

    with _listening(serve) as made.port:
        yield made
