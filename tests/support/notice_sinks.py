"""Servers that take notices: mail with STARTTLS or TLS, HTTPS, and a proxy. Each on a thread of its
own, with a certificate that only an authority of the test vouches for.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(folder):
    """A certificate for 127.0.0.1, self-signed; files of it and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / "sink.pem", folder / "sink.key"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert, private


def tls(files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


class Sink:
    """What came: texts, logins, addresses that a proxy was asked for."""

    def __init__(self):
        self.port, self.came, self.logins, self.tunnels = 0, [], [], []
        self.refuse = self.plain = False


def _serve_mail(sink, connection, context):
    """One mail conversation."""
    file = connection.makefile("rwb")

    def say(line):
        file.write(line + b"\r\n")
        file.flush()

    def take():
        text = b""
        while (part := file.readline()) != b".\r\n":
            text += part
        sink.came.append(text.decode())

    say(b"220 sink")
    while line := file.readline():
        word = line.strip().upper()
        if word.startswith(b"EHLO"):
            last = b"250 HELP" if sink.plain else b"250 STARTTLS"
            say(b"250-sink\r\n250-AUTH PLAIN\r\n" + last)
        elif word == b"STARTTLS":
            say(b"220 go")
            connection = context.wrap_socket(connection, server_side=True)
            file = connection.makefile("rwb")
        elif word.startswith(b"AUTH PLAIN"):
            sink.logins.append(base64.b64decode(line.split()[2]))
            say(b"535 no" if sink.refuse else b"235 yes")
        elif word == b"DATA":
            say(b"354 go")
            take()
            say(b"250 taken")
        elif word == b"QUIT":
            say(b"221 bye")
            return
        else:
            say(b"250 ok")


@contextmanager
def _listening(serve):
    server = socket.create_server(("127.0.0.1", 0))
    threads = []

    def accept():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, suppress(OSError, ssl.SSLError, ValueError):
                serve(connection)

    threads.append(threading.Thread(target=accept, daemon=True))
    threads[0].start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


@contextmanager
def mail_sink(files, *, at_once=False):
    """A mail server; ``at_once`` speaks TLS from the first byte."""
    sink, context = Sink(), tls(files)
    sink.plain = at_once

    def serve(connection):
        if at_once:
            connection = context.wrap_socket(connection, server_side=True)
        _serve_mail(sink, connection, context)

    with _listening(serve) as sink.port:
        yield sink


@contextmanager
def web_sink(files, status=204, location=""):
    """A web server that answers each post with that status."""
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sink.came.append((self.path, self.headers.get("Authorization"), json.loads(body)))
            self.send_response(500 if sink.refuse else status)
            if location:
                self.send_header("Location", location)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = tls(files).wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None
    sink.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def proxy_sink():
    """A proxy that lets every CONNECT through."""
    sink = Sink()

    def pump(source, target):
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def serve(connection):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        where = head.split()[1].decode()
        sink.tunnels.append(where)
        host, _, port = where.rpartition(":")
        with socket.create_connection((host, int(port))) as there:
            connection.sendall(b"HTTP/1.1 200 ok\r\n\r\n")
            back = threading.Thread(target=pump, args=(there, connection), daemon=True)
            back.start()
            pump(connection, there)
            back.join()

    with _listening(serve) as sink.port:
        yield sink
