"""Servers of stores on this machine, each in a folder of its own and gone at its end: S3, SFTP,
WebDAV.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from securefl.backoff import poll


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True


@contextlib.contextmanager
def s3():
    """moto's S3; yields its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


def make_bucket(address, name):
    """A bucket at a server of :func:`s3`."""
    import botocore.session

    keys = {"aws_access_key_id": "one", "aws_secret_access_key": "two"}
    client = botocore.session.get_session().create_client(
        "s3", endpoint_url=address, region_name="us-east-1", **keys
    )
    client.create_bucket(Bucket=name)


@contextlib.contextmanager
def webdav(folder: Path, user: str, password: str, certificate: Path | None = None):
    """wsgidav's WebDAV over ``folder``, with TLS where there is a certificate; yields its port."""
    from cheroot.ssl.builtin import BuiltinSSLAdapter
    from cheroot.wsgi import Server
    from wsgidav.wsgidav_app import WsgiDAVApp

    application = WsgiDAVApp(
        {
            "provider_mapping": {"/": str(folder)},
            "simple_dc": {"user_mapping": {"*": {user: {"password": password}}}},
            "http_authenticator": {"accept_basic": True, "accept_digest": False},
            "verbose": 0,
            "logging": {"enable": False},
        }
    )
    server = Server(("127.0.0.1", 0), application)
    if certificate is not None:
        server.ssl_adapter = BuiltinSSLAdapter(str(certificate), str(certificate))
    server.prepare()
    serving = threading.Thread(target=server.serve, daemon=True)
    serving.start()
    try:
        yield server.bind_addr[1]
    finally:
        server.stop()
        serving.join()


SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def sftp(home: Path):
    """OpenSSH's server for this account; yields its port. Keys and ``known_hosts`` go to ``home``."""
    port = free_port()
    keys = home / ".ssh"
    keys.mkdir(parents=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix="securefl-sshd-") as place:
        folder = Path(place)
        for file in (folder / "host", keys / "id_ed25519"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)]
            subprocess.run(command, check=True)
        host = (folder / "host.pub").read_text().split()[:2]
        (keys / "known_hosts").write_text(f"[127.0.0.1]:{port} {' '.join(host)}\n")
        shutil.copy(keys / "id_ed25519.pub", folder / "authorized")
        (folder / "config").write_text(
            f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\n"
            "PasswordAuthentication no\nPermitRootLogin prohibit-password\n"
            "Subsystem sftp internal-sftp\n"
        )
        if os.getuid() == 0:  # where it drops its rights; Debian makes it when the service starts
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        server = subprocess.Popen([SSHD, "-D", "-f", folder / "config", "-E", folder / "log"])
        try:
            assert poll(lambda: _answers(port), seconds=30), (folder / "log").read_text()
            yield port
        finally:
            server.terminate()
            server.wait()
