"""Unpacking of a PySyft message within limits, before PySyft itself parses it (rule 5).

A message is a gzip stream of a tar archive of one JSON file. PySyft unpacks it with no limit at
all; here the stream is decompressed up to :data:`~securefl.datasite.layout.MAX_PLAIN` bytes and
must hold one regular file and nothing after it. What passes is handed to PySyft as the very bytes
that were checked, so both parse the same thing.
"""

from __future__ import annotations

import io
import tarfile
import zlib

from securefl.datasite.layout import MAX_PLAIN
from securefl.errors import MessageError

_MEMBER = "proposed_file_changes.json"
#: zlib's way to say: a gzip header, and nothing else.
_GZIP = 16 + zlib.MAX_WBITS


def unpack(data: bytes, limit: int = MAX_PLAIN) -> bytes:
    """Return the JSON text inside a message.

    Raises:
        MessageError: not a gzip stream of a tar archive with that one file, or longer than
            ``limit`` bytes.
    """
    stream = zlib.decompressobj(_GZIP)
    try:
        # One byte more than allowed is enough to know: a bomb is never unpacked.
        archive = stream.decompress(data, limit + 1)
    except zlib.error:
        raise MessageError("The message is not a compressed archive.") from None
    if len(archive) > limit:
        raise MessageError(f"The message unpacks to more than {limit} bytes.")
    if not stream.eof or stream.unused_data:
        raise MessageError("The message is cut off, or something follows it.")
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            members = tar.getmembers()
            if not _only_file(members, len(archive)):
                raise MessageError("The message is not an archive of one file.")
            plain = tar.extractfile(members[0])
            if plain is None:
                raise MessageError("The message is not an archive of one file.")
            return plain.read()
    except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError):
        raise MessageError("The message is not an archive.") from None


def _only_file(members: list[tarfile.TarInfo], length: int) -> bool:
    """True for one plain file of the expected name, no longer than the archive."""
    if len(members) != 1:
        return False
    only = members[0]
    # A sparse file may claim terabytes that are not there.
    return (
        only.name == _MEMBER
        and only.type == tarfile.REGTYPE
        and only.sparse is None
        and not only.pax_headers
        and only.size <= length
    )
