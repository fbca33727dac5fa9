import gzip
import io
import tarfile

import pytest

from securefl.datasite.envelope import unpack
from securefl.errors import MessageError

NAME = "proposed_file_changes.json"


def archive(*members, pax=None):
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT
    ) as tar:
        for name, data, kind in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.pax_headers = kind, len(data), pax or {}
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def packed(*members, pax=None):
    return gzip.compress(
        archive(*members, pax=pax), mtime=0
    )  # both test processes must name the cases alike


ONE = (NAME, b"{}", tarfile.REGTYPE)


def test_the_one_file_is_returned():
    assert unpack(packed(ONE)) == b"{}"


def test_what_pysyft_packs_is_unpacked():
    from syft.sync.utils.syftbox_utils import compress_data

    assert unpack(compress_data(b'{"a":1}')) == b'{"a":1}'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not gzip",
        gzip.compress(b"not a tar", mtime=0),
        packed(ONE)[:-9],
        packed(ONE) + b"x",
        packed(ONE) + packed(ONE),
        packed(ONE, ONE),
        packed(("other.json", b"{}", tarfile.REGTYPE)),
        packed((NAME, b"", tarfile.SYMTYPE)),
        packed((NAME, b"", tarfile.DIRTYPE)),
        packed((NAME, b"", tarfile.FIFOTYPE)),
        packed(ONE, pax={"GNU.sparse.realsize": "99999999999"}),
        packed(),
    ],
)
def test_anything_else_is_refused(data):
    with pytest.raises(MessageError):
        unpack(data)


def test_a_stream_that_unpacks_to_too_much_is_not_unpacked_to_the_end():
    with pytest.raises(MessageError, match="more than 1000 bytes"):
        unpack(gzip.compress(b"\0" * 50_000_000), limit=1000)
