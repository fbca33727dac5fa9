"""Someone reads the coordinator's memory after a round: the round's key must not be there any more."""

import subprocess
import sys
from pathlib import Path

import pytest

MASK = 0x5A5A5A5A5A5A5A5A

COORDINATOR = f"""
import gc, sys
import numpy as np
from securefl.secagg import seal
from securefl.secagg.packing import FieldLayout

seen = []
real = seal.sealapi.KeyGenerator

class Spy:
    def __init__(self, context):
        self.generator = real(context)
    def create_public_key(self, public):
        self.generator.create_public_key(public)
    def secret_key(self):
        key = self.generator.secret_key()
        plain = key.data()
        # Printed in disguise, so that the spy itself leaves no copy.
        seen.extend(plain.data(i) ^ {MASK} for i in range(8))
        return key

class Library:
    KeyGenerator = Spy
    def __getattr__(self, name):
        return getattr(seal_api, name)

seal_api, seal.sealapi = seal.sealapi, Library()
layout = FieldLayout(16, 1)
keys = seal.RoundKeyPair.generate()
ciphertext = seal.encrypt(keys.public, layout.pack(np.arange(10)), layout)
print(" ".join(map(str, seen)), flush=True)
sys.stdin.readline()
keys.{{action}}
gc.collect()
print("done", flush=True)
sys.stdin.readline()
"""


def copies_in_memory(pid, pattern):
    """How often ``pattern`` stands in the writable memory of another process."""
    found = 0
    with (
        Path(f"/proc/{pid}/maps").open() as maps,
        Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory,
    ):
        for line in maps:
            span, rights, *_ = line.split()
            if not rights.startswith("rw") or "[vvar]" in line:
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            try:
                memory.seek(start)
                found += memory.read(end - start).count(pattern)
            except OSError:
                continue
    return found


@pytest.mark.parametrize("action", ["open_once(ciphertext, layout)", "erase()"])
def test_after_the_round_the_key_is_nowhere_in_the_coordinators_memory(action):
    with subprocess.Popen(
        [sys.executable, "-c", COORDINATOR.replace("{action}", action)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        words = [int(word) ^ MASK for word in process.stdout.readline().split()]
        pattern = b"".join(word.to_bytes(8, "little") for word in words)
        try:
            before = copies_in_memory(process.pid, pattern)
        except PermissionError:
            process.kill()
            pytest.skip("this machine does not let a process read its child's memory")
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        after = copies_in_memory(process.pid, pattern)
        process.stdin.write("\n")
        process.stdin.flush()
    assert len(pattern) == 64
    assert before >= 1  # the control: while it is held, it is found
    assert after == 0
