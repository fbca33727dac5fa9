r"""The envelope of everything that travels in secure aggregation: a signed manifest, then the chunks that it hashes.

    8 bytes    magic "SFLFRM1\n"
    4 bytes    length of the manifest, big-endian
    manifest   a signed statement (``securefl.signed``): canonical JSON with the SHA-256 of every chunk
    chunks     raw bytes, as many as the public facts say

and nothing after it. The reader checks in this order, and each check rests on those before it: length (known from the
public facts before anything is read), magic, signature, canonical form, every field of the manifest against the
reader's own facts, chunk hashes. A refusal is a MessageError that names the sender.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from securefl.errors import MessageError
from securefl.signed import canonical, dump_signed, open_signed

if TYPE_CHECKING:
    from collections.abc import Callable

    Sign = Callable[[bytes], bytes]
    Verify = Callable[[bytes, bytes], bool]

MAGIC: Final = b"SFLFRM1\n"
PREFIX_BYTES: Final = len(MAGIC) + 4
#: A manifest without its lists: fixed keys, numbers, hashes, a name and a signature; about 700 bytes in practice.
_MANIFEST_BASE: Final = 2048
_HASH_BYTES: Final = 67  # 64 hex digits, two quotes, a comma


@dataclass(frozen=True)
class Envelope:
    """What a frame must be, known before one is read.

    Args:
        kind: the manifest's ``type``.
        expected: the manifest's fields that must be exactly so.
        chunks: how many chunks follow.
        chunk_bytes: bytes of each.
        more: further fields that the caller checks, and the most bytes that they take.
    """

    kind: str
    expected: dict[str, Any]
    chunks: int
    chunk_bytes: int
    more: frozenset[str] = frozenset()
    more_bytes: int = 0

    @property
    def manifest_limit(self) -> int:
        """The most bytes that the manifest may have."""
        return _MANIFEST_BASE + self.chunks * _HASH_BYTES + self.more_bytes

    @property
    def limit(self) -> int:
        """The most bytes that the frame may have."""
        return PREFIX_BYTES + self.manifest_limit + self.chunks * self.chunk_bytes

    def write(self, chunks: list[bytes], sign: Sign, **more: object) -> bytes:
        """A signed frame of these chunks."""
        hashes = [sha256(chunk).hexdigest() for chunk in chunks]
        manifest = dump_signed({"type": self.kind, **self.expected, **more, "chunks": hashes}, sign)
        return b"".join([MAGIC, len(manifest).to_bytes(4, "big"), manifest, *chunks])

    def open(self, data: bytes, sender: str, verify: Verify) -> tuple[dict[str, Any], memoryview]:
        """The manifest and the bytes of all chunks, checked.

        Raises:
            MessageError: naming the sender and the first check that failed.
        """
        if len(data) > self.limit:
            raise refused(sender, f"it has {len(data)} bytes, more than this round allows")
        if data[: len(MAGIC)] != MAGIC:
            raise refused(sender, "it is no frame of securefl")
        length = int.from_bytes(data[len(MAGIC) : PREFIX_BYTES], "big")
        whole = PREFIX_BYTES + length + self.chunks * self.chunk_bytes
        if length > self.manifest_limit or len(data) != whole:
            raise refused(sender, f"it has {len(data)} bytes where its parts add up to {whole}")
        manifest = open_signed(
            data[PREFIX_BYTES : PREFIX_BYTES + length],
            kind=self.kind,
            fields=frozenset(self.expected) | self.more | {"chunks"},
            verify=verify,
            sender=sender,
            max_bytes=self.manifest_limit,
        )
        for name, value in self.expected.items():
            # Compared as canonical bytes: in Python True == 1 and 1.0 == 1.
            if canonical(manifest[name]) != canonical(value):
                raise refused(sender, f"its {name} is not this round's")
        body = memoryview(data)[PREFIX_BYTES + length :]
        self._check_hashes(manifest["chunks"], body, sender)
        return manifest, body

    def _check_hashes(self, hashes: object, body: memoryview, sender: str) -> None:
        if not isinstance(hashes, list) or len(hashes) != self.chunks:
            raise refused(sender, "its manifest does not list its chunks")
        for index, expected in enumerate(hashes):
            start = index * self.chunk_bytes
            if sha256(body[start : start + self.chunk_bytes]).hexdigest() != expected:
                raise refused(sender, f"chunk {index} does not have the hash that was signed")


def refused(sender: str, why: str) -> MessageError:
    """The refusal of a frame, naming its sender."""
    return MessageError(
        f"A frame of {sender} is refused: {why}.",
        whose=sender,
        next_step=f"Ask {sender} to send it again, from the same facts of the round.",
    )
