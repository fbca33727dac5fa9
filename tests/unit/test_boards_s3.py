"""The carrier over S3: each act is one request, large objects go up in parts, and a server that does
not know a condition is asked as any other store.
"""

import io

import botocore.session
import pytest
from store_servers import make_bucket, s3

import securefl.boards.s3
from securefl.boards.opening import open_board
from securefl.errors import StoreError


@pytest.fixture(scope="module")
def address():
    with pytest.MonkeyPatch.context() as patch, s3() as made:
        patch.setenv("AWS_ACCESS_KEY_ID", "one")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "two")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", made)
        make_bucket(made, "requests")
        yield made


@pytest.fixture
def board(address, request):
    return open_board(f"s3://requests/{abs(hash(request.node.name))}")


@pytest.fixture
def asked(board):
    """Every request of the board's client: what it does, in order."""
    found = []
    events = board.carrier._client.meta.events
    events.register("before-call.s3", lambda model, **_: found.append(model.name))
    return found


@pytest.mark.parametrize(
    ("act", "requests"),
    [
        (lambda b: b.post("a/new", b"1"), ["PutObject"]),
        (lambda b: b.post_first("a/first", b"1"), ["PutObject"]),
        (lambda b: b.post_first("a/b", b"1"), ["PutObject"]),
        (lambda b: b.read("a/b", 10), ["GetObject"]),
        (lambda b: b.read("a/none", 10), ["GetObject"]),
        (lambda b: b.read("a/empty", 10), ["GetObject"]),
        (lambda b: b.stamp("a/b"), ["HeadObject"]),
        (lambda b: b.stamp("a/none"), ["HeadObject"]),
        (lambda b: b.names("a"), ["ListObjectsV2"]),
        (lambda b: b.names("none"), ["ListObjectsV2"]),
        (lambda b: b.erase("a/b"), ["DeleteObject"]),
        (lambda b: b.erase("a/none"), ["DeleteObject"]),
    ],
)
def test_each_act_is_one_request(board, asked, act, requests):
    board.post("a/b", b"12")
    board.post("a/empty", b"")
    asked.clear()
    act(board)
    assert asked == requests


@pytest.fixture
def in_parts(monkeypatch):
    monkeypatch.setattr(securefl.boards.s3, "_PART", 5 << 20)
    monkeypatch.setattr(securefl.boards.s3, "_AT_ONCE", 1 << 20)


DATA = bytes(range(256)) * (12 << 12)  # 12 MiB


def test_a_large_object_goes_up_in_parts_and_comes_back_piece_by_piece(board, asked, in_parts):
    board.post_file("large", io.BytesIO(DATA))
    assert asked == ["CreateMultipartUpload", *["UploadPart"] * 3, "CompleteMultipartUpload"]
    with board.open("large", len(DATA)) as file:
        assert b"".join(iter(lambda: file.read(1 << 20), b"")) == DATA


def test_a_large_object_is_first_or_leaves_what_lies_there(board, in_parts):
    assert board.post_file_first("large", io.BytesIO(DATA))
    assert not board.post_file_first("large", io.BytesIO(DATA[::-1]))
    assert board.read("large", len(DATA)) == DATA
    assert uploads(board) == []


def test_a_large_file_that_breaks_off_leaves_no_parts(board, in_parts):
    class Breaking(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 8 << 20:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(StoreError, match="Input/output error"):
        board.post_file("large", Breaking(DATA))
    assert board.read("large", 1) is None
    assert uploads(board) == []


def uploads(board):
    return board.carrier._client.list_multipart_uploads(Bucket="requests").get("Uploads", [])


def answering(board, status, code):
    """The server answers each conditional write so."""

    def answer(params, **_):
        if "IfNoneMatch" not in params.get("headers", {}) and "If-None-Match" not in params.get(
            "headers", {}
        ):
            return None
        http = botocore.awsrequest.AWSResponse("", status, {}, None)
        return http, {
            "Error": {"Code": code, "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }

    board.carrier._client.meta.events.register("before-call.s3.PutObject", answer)


def test_a_server_that_does_not_know_the_condition_is_looked_at_first(board):
    answering(board, 501, "NotImplemented")
    assert board.post_first("a", b"1")
    assert not board.post_first("a", b"2")
    assert board.read("a", 1) == b"1"


def test_two_writes_of_which_the_server_could_take_neither_are_tried_again_by_their_writer(board):
    answering(board, 409, "ConditionalRequestConflict")
    with pytest.raises(StoreError, match="ConditionalRequestConflict"):
        board.post_first("a", b"1")


def test_a_bucket_that_is_not_there_is_no_empty_store(address):
    board = open_board("s3://nowhere/x")
    for act in (lambda: board.post("a", b"1"), lambda: board.read("a", 1), board.names):
        with pytest.raises(StoreError, match="NoSuchBucket"):
            act()
