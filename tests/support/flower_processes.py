"""A real SuperLink with TLS and SuperNode authentication, and SuperNodes, on this machine."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from store_servers import _answers, free_port

from securefl.backoff import poll

BIN = Path(sys.executable).parent
PATIENCE = 180


def _pem(key):
    form = serialization.PrivateFormat.OpenSSH
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _certificate(folder):
    """A private CA and the SuperLink's certificate: ``ca.pem``, ``link.pem``, ``link.key``."""
    begin = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    end = begin + dt.timedelta(days=2)

    def name(text):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    ca, link = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
    of_ca = (
        x509.CertificateBuilder(name("CA"), name("CA"), ca.public_key(), 1, begin, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(ca, hashes.SHA256())
    )
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    of_link = (
        x509.CertificateBuilder(name("CA"), name("SuperLink"), link.public_key(), 2, begin, end)
        .add_extension(here, critical=False)
        .sign(ca, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(of_ca.public_bytes(serialization.Encoding.PEM))
    (folder / "link.pem").write_bytes(of_link.public_bytes(serialization.Encoding.PEM))
    (folder / "link.key").write_bytes(
        link.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


class FlowerNetwork:
    """A SuperLink that carries, and a SuperNode with its runner for each spool.

    Args:
        folder: everything of it.
        names: of the spools.
    """

    def __init__(self, folder, names):
        self.folder, self.names = Path(folder), list(names)
        self.port = free_port()
        self.processes = []
        self.environment = os.environ | {
            "FLWR_HOME": str(self.folder / "home"),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
        }

    def spool(self, name):
        return self.folder / "spools" / name

    def url(self, name):
        return f"flower://{self.spool(name)}"

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def start(self):
        home = self.folder / "home"
        home.mkdir(parents=True)
        _certificate(self.folder)
        (home / "config.toml").write_text(
            f'[superlink]\ndefault = "here"\n\n[superlink.here]\naddress = "127.0.0.1:{self.port}"\n'
            f'root-certificates = "{self.folder}/ca.pem"\n'
        )
        self.begin(
            "superlink", "flower-superlink", "--port", self.port, "--enable-supernode-auth",
            "--ssl-certfile", self.folder / "link.pem", "--ssl-keyfile", self.folder / "link.key",
            "--ssl-ca-certfile", self.folder / "ca.pem", "--disable-runtime-dependency-installation",
        )  # fmt: skip
        self.run("securefl", "study", "flower", self.folder / "app", "--store-file",
                 self.folder / "store.db")  # fmt: skip
        assert poll(lambda: _answers(self.port), seconds=PATIENCE), self.log("superlink")
        for name in self.names:
            self.join(name)
        self.run_app()

    def join(self, name):
        """A SuperNode with a key that the SuperLink knows, and the runner of its spool."""
        port = free_port()
        self.run("securefl", "flower", self.spool(name), "--make")
        self.register(name)
        self.begin(
            f"node-{name}", "flower-supernode", "--superlink", f"127.0.0.1:{self.port}",
            "--root-certificates", self.folder / "ca.pem",
            "--auth-supernode-private-key", self.folder / f"{name}.key",
            "--isolation", "process", "--port", port,
            "--superexec-auth-secret-file", self.spool(name) / "supernode.secret",
        )  # fmt: skip
        self.begin(
            f"runner-{name}", "securefl", "flower", self.spool(name),
            "--supernode", f"127.0.0.1:{port}",
        )  # fmt: skip

    def register(self, name):
        """Make a SuperNode's key and let the SuperLink know it."""
        self.make_key(name)
        self.run("flwr", "supernode", "register", self.folder / f"{name}.pub")

    def make_key(self, name):
        """Make a SuperNode's key: ``NAME.key`` and ``NAME.pub``."""
        key = ec.generate_private_key(ec.SECP384R1())
        public = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        (self.folder / f"{name}.key").write_bytes(_pem(key))
        (self.folder / f"{name}.pub").write_bytes(public)

    def run_app(self, app=None):
        said = self.run("flwr", "run", app or self.folder / "app", "--format", "json")
        found = re.search(r"\{.*\}", said, re.DOTALL)
        answer = json.loads(found.group())
        assert answer["success"], answer  # flwr exits with 0 all the same
        return answer

    def run(self, *command):
        done = subprocess.run(
            [str(BIN / str(command[0])), *map(str, command[1:])],
            env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def begin(self, name, *command):
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [str(BIN / command[0]), *map(str, command[1:])],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def stop(self):
        """End every process group that was started here."""
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 15)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()


@contextlib.contextmanager
def flower_network(folder, names):
    """The network, which ends with the block."""
    network = FlowerNetwork(folder, names)
    try:
        network.start()
        yield network
    finally:
        network.stop()
