"""Hosts as network namespaces of this machine (iproute2): each party on one of its own, with a line of
20 Mbit/s and 100 ms there and back to the host of the store, and to no other.

The rate is the kernel's token bucket (``tbf``). The delay is its ``netem`` where it has one; else a
relay before the store holds each piece back, which leaves out the handshakes of TCP.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

#: Milliseconds each way, and the rate of a line.
DELAY_MS, RATE = 50, "20mbit"
PORT = 9000
STORE = Path(__file__).with_name("hosts_store.py")


class NoRightError(Exception):
    """This user may make no network namespaces, or iproute2 is not installed."""


def ip(*words, check=True):
    command = ["ip", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if check and done.returncode:
        raise NoRightError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.returncode == 0


class Hosts:
    """Hosts of the parties and one of the store.

    Args:
        names: of the parties.

    Attributes:
        by_netem: whether the kernel delays; else the relay does.
    """

    def __init__(self, names):
        self.names, self._made, self._store = names, [], None
        self.prefix = f"sf{os.getpid()}-"
        self.by_netem = False

    def start(self, folder):
        """Make hosts and lines, and start the store on its host."""
        if not all(map(shutil.which, ("ip", "tc"))):
            raise NoRightError("iproute2 is not installed")
        store = self._host("store")
        for number, name in enumerate(self.names, 1):
            self._line(number, self._host(name), store)
        wait = "0" if self.by_netem else str(DELAY_MS)
        with (folder / "store.out").open("wb") as out:
            command = ["ip", "netns", "exec", store, sys.executable, str(STORE), str(PORT), wait]
            self._store = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )
        end = time.monotonic() + 60
        while not self._reaches(self.names[0], self.address(self.names[0])):
            assert self._store.poll() is None, (folder / "store.out").read_text()
            assert time.monotonic() < end, "the store does not answer"
            time.sleep(0.2)

    def stop(self):
        if self._store is not None:
            self._store.terminate()
            self._store.wait()
        for host in self._made:
            ip("netns", "del", host, check=False)

    def address(self, name):
        """Where a party finds the store: an address of its own line."""
        return f"10.99.{self.names.index(name) + 1}.1"

    def run(self, name):
        """The first words of a command that runs on a party's host."""
        return ["ip", "netns", "exec", self.prefix + name]

    def environment(self, name):
        """What a party's process knows of the store."""
        return {
            **os.environ,
            "AWS_ACCESS_KEY_ID": name,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT_URL": f"http://{self.address(name)}:{PORT}",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def cut(self, name):
        """From now on a host reaches nobody."""
        ip("-n", self.prefix + name, "link", "set", "line", "down")

    def mend(self, name):
        ip("-n", self.prefix + name, "link", "set", "line", "up")

    def strangers(self, name):
        """Other parties' hosts that this one reaches; empty, as it should be."""
        others = [n for n in self.names if n != name]
        return [n for n in others if self._reaches(name, self.address(n)[:-1] + "2", refused=True)]

    def _reaches(self, name, address, *, refused=False):
        """Whether a connection comes about; with ``refused`` also whether somebody refuses it."""
        text = (
            "import socket, sys\n"
            "try: socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)\n"
            "except ConnectionRefusedError: sys.exit(2)\n"
            "except OSError: sys.exit(1)\n"
        )
        command = [*self.run(name), sys.executable, "-I", "-c", text, address, str(PORT)]
        code = subprocess.run(command, check=False).returncode
        return code == 0 or (refused and code == 2)

    def _host(self, name):
        host = self.prefix + name
        ip("netns", "add", host)
        self._made.append(host)
        ip("-n", host, "link", "set", "lo", "up")
        return host

    def _line(self, number, host, store):
        there = f"line{number}"
        ip(
            *("link", "add", "line", "netns", host, "type", "veth"),
            *("peer", "name", there, "netns", store),
        )
        for where, device, last in ((store, there, 1), (host, "line", 2)):
            ip("-n", where, "addr", "add", f"10.99.{number}.{last}/30", "dev", device)
            ip("-n", where, "link", "set", device, "up")
            self._shape(where, device)

    def _shape(self, host, device):
        at = ("netns", "exec", host, "tc", "qdisc", "add", "dev", device)
        netem = ("netem", "delay", f"{DELAY_MS}ms", "rate", RATE)
        self.by_netem = ip(*at, "root", *netem, check=False)
        if not self.by_netem:
            ip(*at, "root", "tbf", "rate", RATE, "burst", "64kbit", "latency", "400ms")


@contextlib.contextmanager
def hosts(names, folder):
    """Hosts with their store, gone at the end."""
    made = Hosts(tuple(names))
    try:
        made.start(folder)
        yield made
    finally:
        made.stop()
