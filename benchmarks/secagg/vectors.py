"""The vectors that all are measured on: float32, uniform in [-0.05, 0.05] as clipped updates are,
the same on every machine.
"""

from hashlib import sha256
from pathlib import Path

import numpy as np

CLIP = 0.05


def write_vectors(folder: Path, parameters: int, clients: int) -> None:
    """``folder``/0.npy and so on, one a client: float32[parameters]."""
    folder.mkdir(parents=True, exist_ok=True)
    for client in range(clients):
        blocks = -(-parameters // 4)
        raw = b"".join(
            sha256(f"securefl-bench/{client}/{i}".encode()).digest() for i in range(blocks)
        )
        uniform = np.frombuffer(raw, dtype="<u8")[:parameters] / 2.0**64
        np.save(folder / f"{client}.npy", (CLIP * (2 * uniform - 1)).astype(np.float32))


def read_vectors(folder: Path) -> list[np.ndarray]:
    """The arrays, in the clients' order."""
    return [np.load(folder / f"{i}.npy") for i in range(len(list(folder.glob("*.npy"))))]
