"""Carrier over S3 and what speaks it, by botocore: each act is one request.

s3fs, which fsspec opens such a URL with, asks twice where nothing lies (is it a folder? what lies
above it?), and takes twice the processor's time for a large object. In a round most looks find
nothing yet.
"""

from __future__ import annotations

import io
import os
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from securefl.boards.carrier import LOOKS_AT_A_SERVER, Carrier
from securefl.boards.route import DIRECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from securefl.boards.route import Route

#: Bytes up to which an object is fetched before it is read, so that its connection is free at once.
_AT_ONCE: Final = 16 << 20
#: Bytes from which on an object goes up in parts; one request takes at most 5 GiB.
_PART: Final = 64 << 20
#: Seconds until a server that cannot be connected to, or that says nothing, is an error.
_CONNECT: Final = 5
_SILENCE: Final = 15
#: Requests of one process under way at once that keep their connections.
_CONNECTIONS: Final = 20
#: Codes of servers for "there is no such object", "a look past its end", "there is one", and for a
#: condition that they do not know.
_NOTHING: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_PAST_THE_END: Final = frozenset({"416", "InvalidRange"})
_THERE_IS_ONE: Final = frozenset({"412", "PreconditionFailed"})
_UNKNOWN: Final = frozenset({"501", "NotImplemented"})
#: The condition of a write: nothing lies there (RFC 9110, 13.1.2).
_NEW: Final = {"IfNoneMatch": "*"}


class S3Carrier(Carrier):
    """Objects below one prefix of a bucket.

    Args:
        url: ``s3://bucket/prefix``.
        route: how the server is reached.
    """

    many_at_a_time = True
    pace = LOOKS_AT_A_SERVER

    def __init__(self, url: str, route: Route = DIRECT) -> None:
        parts = urlsplit(url)
        self._bucket = parts.netloc
        self._below = parts.path.strip("/")
        self._route = route
        self._clients: dict[int, Any] = {}

    def write(self, path: str, fill: Callable[[IO[bytes]], object]) -> None:
        """See :class:`Carrier`. An upload appears when it is complete."""
        self._upload(path, fill, {})

    def create(self, path: str, fill: Callable[[IO[bytes]], object]) -> bool:
        """See :class:`Carrier`. Of two uploads at once the server completes one."""
        try:
            self._upload(path, fill, _NEW)
        except FileExistsError:
            return False
        return True

    def open(self, path: str, most: int) -> IO[bytes]:
        """See :class:`Carrier`. One request, so that what is read is one object."""
        try:
            with _codes():
                found = self._client.get_object(
                    **self._place(path), Range=f"bytes=0-{max(most, 1) - 1}"
                )
        except _EmptyError:
            return io.BytesIO()
        body: IO[bytes] = found["Body"]
        if most > _AT_ONCE:
            return body
        with body:
            return io.BytesIO(body.read())

    def stamp(self, path: str) -> str | None:
        """See :class:`Carrier`."""
        found = self._facts(path)
        return f"{found['ETag']}-{found['LastModified']}-{found['ContentLength']}"

    def names(self, folder: str) -> list[str]:
        """See :class:`Carrier`."""
        prefix = self._key(folder)
        if prefix:
            prefix += "/"
        found: list[str] = []
        with _codes():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, Delimiter="/"
            )
            for page in pages:
                found += [one["Key"] for one in page.get("Contents", ())]
                found += [one["Prefix"].rstrip("/") for one in page.get("CommonPrefixes", ())]
        return [name for key in found if (name := key[len(prefix) :])]

    def erase(self, path: str) -> None:
        """See :class:`Carrier`."""
        with _codes():
            self._client.delete_object(**self._place(path))

    def written_at(self, path: str) -> float | None:
        """See :class:`Carrier`."""
        written: float = self._facts(path)["LastModified"].timestamp()
        return written

    def _facts(self, path: str) -> Any:  # noqa: ANN401 - botocore ships no types
        with _codes():
            return self._client.head_object(**self._place(path))

    def _upload(
        self,
        path: str,
        fill: Callable[[IO[bytes]], object],
        condition: dict[str, str],
    ) -> None:
        upload = _Upload(self._client, self._place(path))
        try:
            fill(cast("IO[bytes]", upload))
            with _codes():
                upload.complete(condition)
        except BaseException:
            upload.discard()
            raise

    def _key(self, path: str) -> str:
        return "/".join(part for part in (self._below, path) if part)

    def _place(self, path: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._key(path)}

    @property
    def _client(self) -> Any:  # noqa: ANN401 - botocore ships no types
        """The client of this process: a forked one makes connections of its own."""
        process = os.getpid()
        if process not in self._clients:
            self._clients[process] = _client(self._route)
        return self._clients[process]


class _Upload(io.RawIOBase):
    """Object on its way up: in one request, or in parts where it is large."""

    def __init__(self, client: Any, place: dict[str, str]) -> None:  # noqa: ANN401 - as above
        self._client, self._place = client, place
        self._held = io.BytesIO()
        self._parts: list[dict[str, Any]] = []
        self._upload = ""

    def write(self, data: Any) -> int:  # noqa: ANN401 - whatever holds bytes
        """Take more of it."""
        size = self._held.write(data)
        if self._held.tell() >= _PART:
            self._send_part()
        return size

    def complete(self, condition: dict[str, str]) -> None:
        """Let the object appear."""
        if not self._upload:
            self._client.put_object(**self._place, Body=self._held.getvalue(), **condition)
            return
        if self._held.tell():
            self._send_part()
        self._client.complete_multipart_upload(
            **self._place,
            UploadId=self._upload,
            MultipartUpload={"Parts": self._parts},
            **condition,
        )

    def discard(self) -> None:
        """Let nothing of it stay; a server that is away clears it by its own rule."""
        if self._upload:
            with suppress(Exception):
                self._client.abort_multipart_upload(**self._place, UploadId=self._upload)

    def _send_part(self) -> None:
        if not self._upload:
            self._upload = self._client.create_multipart_upload(**self._place)["UploadId"]
        number = len(self._parts) + 1
        sent = self._client.upload_part(
            **self._place,
            UploadId=self._upload,
            PartNumber=number,
            Body=self._held.getvalue(),
        )
        kept = {key: sent[key] for key in sent if key == "ETag" or key.startswith("Checksum")}
        kept.pop("ChecksumType", None)
        self._parts.append({**kept, "PartNumber": number})
        self._held = io.BytesIO()


class _EmptyError(Exception):
    """The object is there and has no first byte to ask for."""


def _client(route: Route) -> Any:  # noqa: ANN401 - botocore ships no types
    """A client of S3 as the account's environment and files say, by the route."""
    import botocore.config
    import botocore.session

    proxies = {"http": route.proxy, "https": route.proxy} if route.proxy else None
    return botocore.session.get_session().create_client(
        "s3",
        verify=route.ca_file or None,
        config=botocore.config.Config(
            proxies=proxies,
            connect_timeout=_CONNECT,
            read_timeout=_SILENCE,
            max_pool_connections=_CONNECTIONS,
        ),
    )


@contextmanager
def _codes() -> Iterator[None]:
    """Turn a server's codes into the errors that a carrier raises."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _NOTHING:
            raise FileNotFoundError(code) from error
        if code in _PAST_THE_END:
            raise _EmptyError from error
        if code in _THERE_IS_ONE:
            raise FileExistsError(code) from error
        if code in _UNKNOWN:
            raise NotImplementedError from error
        raise
