r"""Envelope of everything that travels in secure aggregation: a signed manifest, then its chunks.

    8 bytes    magic "SFLFRM1\n"
    4 bytes    length of the manifest, big-endian
    manifest   a signed statement (``securefl.signed``): canonical JSON with the SHA-256 of every
               chunk
    chunks     raw bytes, as many as the public facts say

and nothing after it. A frame may begin with one chunk of another size than the rest
(``lead_bytes``). Frames are read and written whole, or chunk by chunk from anything that has
``read``: then the head comes first, and it alone pins all that follows, so that its hash is the
frame's. The reader checks in this order, and each check rests on those before it: length (known
from the public facts before anything is read), magic, signature, canonical form, every field of the
manifest against the reader's own facts, chunk hashes. A refusal is a MessageError that names the
sender.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Protocol

from securefl.errors import MessageError, UsageError
from securefl.signed import canonical, dump_signed, open_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from securefl.types import Sign, Verify


MAGIC: Final = b"SFLFRM1\n"
PREFIX_BYTES: Final = len(MAGIC) + 4
#: A manifest without its lists: fixed keys, numbers, hashes, a name and a signature; about 700
#: bytes in practice.
_MANIFEST_BASE: Final = 2048
#: A hash in the manifest: 64 hex digits, two quotes, a comma.
_HASH_BYTES: Final = 67


class Readable(Protocol):
    """Source of a frame: a file, or an object of a store."""

    def read(self, size: int, /) -> bytes:
        """Read up to ``size`` bytes; none at the end."""
        ...


class Hashed:
    """Frame that is being read: the hash of what was read so far, and its ``size`` in bytes."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._hash = sha256()
        self.size = 0

    def read(self, size: int, /) -> bytes:
        """Read up to ``size`` bytes; none at the end."""
        data = self._file.read(size)
        self._hash.update(data)
        self.size += len(data)
        return data

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of all that was read."""
        return self._hash.hexdigest()


@dataclass(frozen=True)
class Envelope:
    """Form that a frame must have, known before one is read.

    Args:
        kind: the manifest's ``type``.
        expected: the manifest's fields that must be exactly so.
        runs: how many chunks follow and how long each is, (count, bytes) for each run of equal
            ones.
        more: further fields that the caller checks, and the most bytes that they take.
        lead_bytes: bytes of one more chunk before the others; 0 for none.
    """

    kind: str
    expected: dict[str, Any]
    runs: tuple[tuple[int, int], ...]
    more: frozenset[str] = frozenset()
    more_bytes: int = 0
    lead_bytes: int = 0

    @property
    def _count(self) -> int:
        """Number of chunks, the leading one included."""
        return sum(count for count, _ in self.runs) + bool(self.lead_bytes)

    @property
    def run_bytes(self) -> int:
        """Bytes of all chunks but the leading one."""
        return sum(count * size for count, size in self.runs)

    @property
    def _body_bytes(self) -> int:
        """Bytes of all chunks."""
        return self.lead_bytes + self.run_bytes

    @property
    def manifest_limit(self) -> int:
        """The most bytes that the manifest may have."""
        return _MANIFEST_BASE + self._count * _HASH_BYTES + self.more_bytes

    @property
    def limit(self) -> int:
        """The most bytes that the frame may have."""
        return PREFIX_BYTES + self.manifest_limit + self._body_bytes

    def write(
        self,
        chunks: list[bytes],
        sign: Sign,
        **more: object,
    ) -> bytes:
        """Write a signed frame of these chunks."""
        hashes = [sha256(chunk).hexdigest() for chunk in chunks]
        return b"".join([self.head(hashes, sign, **more), *chunks])

    def head(
        self,
        hashes: list[str],
        sign: Sign,
        **more: object,
    ) -> bytes:
        """Write everything before the chunks, which have these hashes."""
        manifest = dump_signed({"type": self.kind, **self.expected, **more, "chunks": hashes}, sign)
        return b"".join([MAGIC, len(manifest).to_bytes(4, "big"), manifest])

    def head_bytes(self, **more: object) -> int:
        """Bytes of the head of every frame with these fields, leading chunk included.

        Hashes and signatures have one length each, so that any will do.
        """
        hashes = ["0" * 64] * self._count
        return len(self.head(hashes, lambda _: bytes(64), **more)) + self.lead_bytes

    def open(
        self,
        data: bytes,
        sender: str,
        verify: Verify,
    ) -> tuple[dict[str, Any], memoryview]:
        """Check a whole frame and return its manifest and the bytes of all chunks.

        Raises:
            MessageError: naming the sender and the first check that failed.
        """
        if len(data) > self.limit:
            raise refused(sender, f"it has {len(data)} bytes, more than this round allows")
        length = self._manifest_length(data[:PREFIX_BYTES], sender)
        whole = PREFIX_BYTES + length + self._body_bytes
        if length > self.manifest_limit or len(data) != whole:
            raise refused(sender, f"it has {len(data)} bytes where its parts add up to {whole}")
        manifest = self._manifest(data[PREFIX_BYTES : PREFIX_BYTES + length], sender, verify)
        body = memoryview(data)[PREFIX_BYTES + length :]
        start = 0
        sizes = []
        if self.lead_bytes:
            sizes.append(self.lead_bytes)
        for count, size in self.runs:
            sizes += [size] * count
        for index, (expected, size) in enumerate(zip(manifest["chunks"], sizes, strict=True)):
            _check_hash(body[start : start + size], expected, index, sender)
            start += size
        return manifest, body

    def open_head(
        self,
        file: Readable,
        sender: str,
        verify: Verify,
    ) -> Head:
        """Read and check everything before the equal chunks: manifest, and leading chunk if any.

        Raises:
            MessageError: naming the sender and the first check that failed. No more is read than
                the check needs.
        """
        prefix = _read(file, PREFIX_BYTES, sender)
        length = self._manifest_length(prefix, sender)
        if length > self.manifest_limit:
            raise refused(
                sender, f"its manifest claims {length} bytes, more than this round allows"
            )
        signed = _read(file, length, sender)
        manifest = self._manifest(signed, sender, verify)
        lead = _read(file, self.lead_bytes, sender)
        hashes = manifest["chunks"]
        if self.lead_bytes:
            _check_hash(lead, hashes[0], 0, sender)
        whole = PREFIX_BYTES + length + self._body_bytes
        return Head(
            manifest,
            sha256(prefix + signed).hexdigest(),
            lead,
            tuple(hashes[bool(self.lead_bytes) :]),
            whole,
        )

    def blocks(
        self,
        file: Readable,
        head: Head,
        sender: str,
        sizes: Iterable[tuple[int, int]],
    ) -> Iterator[bytes]:
        """Read the chunks after ``head``, each checked against its hash; then the end of the file.

        Args:
            file: standing behind the head.
            head: as it was read.
            sender: who is said to have sent it.
            sizes: how many chunks to hand out at a time and how long each is; together they are the
                runs.

        Raises:
            MessageError: naming the sender: a chunk is short or is not what was signed, or
                something follows.
        """
        done = 0
        for count, size in sizes:
            block = _read(file, count * size, sender)
            view = memoryview(block)
            for i in range(count):
                chunk = view[i * size : (i + 1) * size]
                _check_hash(chunk, head.hashes[done + i], done + i, sender)
            done += count
            yield block
        # One frame has one spelling: bytes behind it would give it a second hash.
        if file.read(1):
            raise refused(sender, "something follows its last chunk")

    def _manifest_length(self, prefix: bytes, sender: str) -> int:
        """Check the magic and read the length that the frame claims for its manifest."""
        if prefix[: len(MAGIC)] != MAGIC:
            raise refused(sender, "it is no frame of securefl")
        return int.from_bytes(prefix[len(MAGIC) :], "big")

    def _manifest(
        self,
        signed: bytes,
        sender: str,
        verify: Verify,
    ) -> dict[str, Any]:
        """Check the manifest's signature, then each of its fields."""
        manifest = open_signed(
            signed,
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
        hashes = manifest["chunks"]
        if not isinstance(hashes, list) or len(hashes) != self._count:
            raise refused(sender, "its manifest does not list its chunks")
        return manifest


@dataclass(frozen=True)
class Head:
    """Head of a frame, checked: everything before its runs of chunks.

    ``sha256`` is its hash, and pins the whole frame, which has ``frame_bytes``.
    """

    manifest: dict[str, Any]
    sha256: str
    lead: bytes
    hashes: tuple[object, ...]
    frame_bytes: int


def write_frame(
    file: BinaryIO,
    head_bytes: int,
    write: Callable[[BinaryIO], bytes],
) -> None:
    """Write a frame whose head is signed over hashes of the bytes behind it.

    The head's place is left free, then filled.

    Args:
        file: where it is written, from where it stands; it must be one that seeks.
        head_bytes: as the envelope says.
        write: writes what follows the head, and returns the head.

    Raises:
        UsageError: the head does not have that length; the file holds nothing of use then.
    """
    start = file.tell()
    file.seek(start + head_bytes)
    head = write(file)
    if len(head) != head_bytes:
        raise UsageError(
            f"A head of {len(head)} bytes does not fill a place of {head_bytes}.",
            next_step="Take the place from the same terms.",
        )
    end = file.tell()
    file.seek(start)
    file.write(head)
    file.seek(end)


def _check_hash(
    chunk: bytes | memoryview,
    expected: object,
    index: int,
    sender: str,
) -> None:
    """Check a chunk against the hash in the manifest."""
    if sha256(chunk).hexdigest() != expected:
        raise refused(sender, f"chunk {index} does not have the hash that was signed")


def _read(file: Readable, size: int, sender: str) -> bytes:
    """Read exactly ``size`` bytes, however the file hands them out."""
    parts = []
    missing = size
    while missing:
        part = file.read(missing)
        if not part:
            raise refused(sender, f"it ends {missing} bytes too early")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def refused(sender: str, why: str) -> MessageError:
    """Make the refusal of a frame, naming its sender."""
    return MessageError(
        f"A frame of {sender} is refused: {why}.",
        whose=sender,
        next_step=f"Ask {sender} to send it again, from the same facts of the round.",
    )
