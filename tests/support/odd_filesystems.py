"""File systems of fsspec for tests: one spoken to as a remote folder, and an object store."""

import io
import threading

from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem


class Odd(LocalFileSystem):
    """A folder spoken to as a remote store; fails on demand with an error of its own."""

    protocol = "odd"
    root_marker = "/"
    failing = None
    inside = ()
    together = 0
    slow = threading.Event()

    @classmethod
    def _strip_protocol(cls, path):
        return LocalFileSystem._strip_protocol(str(path).removeprefix("odd://"))


class Reader:
    """An open file whose reads go through the client, as paramiko's do."""

    def __init__(self, client, file):
        self._client, self._file = client, file

    def read(self, size=-1):
        return self._client.call(lambda: self._file.read(size))

    def write(self, data):
        return self._client.call(lambda: self._file.write(data))

    def close(self):
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def method(name):
    def called(self, *args, **kwargs):
        return self.call(lambda: getattr(LocalFileSystem, name)(self, *args, **kwargs))

    return called


def call(self, work):
    kind = type(self)
    if kind.failing is not None:
        raise kind.failing
    me = threading.get_ident()
    kind.inside = (*kind.inside, me)
    try:
        kind.slow.wait(0.002)  # gives the other threads their chance
        if set(kind.inside) - {me}:
            kind.together += 1
        return work()
    finally:
        kind.inside = tuple(t for t in kind.inside if t != me)


Odd.call = call
for _name in ("pipe_file", "mv", "makedirs", "info", "exists", "ls", "rm_file", "cat_file"):
    setattr(Odd, _name, method(_name))
Odd.open = lambda self, path, mode="rb", **kwargs: self.call(
    lambda: Reader(self, LocalFileSystem.open(self, path, mode, **kwargs))
)


class Upload(AbstractBufferedFile):
    """Parts of an object, which appears when the last one came: as S3's multipart upload."""

    def _initiate_upload(self):
        self.parts = []

    def _upload_chunk(self, final=False):
        self.parts.append(self.buffer.getvalue())
        if final:
            if "x" in self.mode and self.path in self.fs.objects:
                raise FileExistsError(self.path)
            self.fs.complete(self.path, b"".join(self.parts))
        return True

    def discard(self):
        self.parts = self.buffer = None


class NoObject(io.BytesIO):
    """What S3 and FTP open where there is a folder: an empty file."""

    def __init__(self):
        super().__init__()
        self.details = {"type": "directory"}


class ObjectStore(AbstractFileSystem):
    """Objects by key: no folders, no rename, whole uploads, as S3 has them."""

    protocol = "s3"
    cachable = False

    def __init__(self, objects, **options):
        super().__init__(**options)
        self.objects, self.asked = objects, []

    def complete(self, path, data):
        self.asked.append("upload")
        self.objects[path] = (len(self.asked), data)

    def _open(self, path, mode="rb", block_size=1 << 21, **_):
        if mode in {"wb", "xb"}:
            return Upload(self, path, mode, block_size)
        if path not in self.objects and any(key.startswith(f"{path}/") for key in self.objects):
            return NoObject()
        return io.BytesIO(self._object(path)[1])

    def cat_file(self, path, start=None, end=None, **_):
        return self._object(path)[1][start:end]

    def info(self, path, **_):
        number, data = self._object(path)
        return {"name": path, "size": len(data), "type": "file", "ETag": f"{number}"}

    def ls(self, path, detail=True, **_):
        self.asked.append("list")
        keys = [key for key in self.objects if key.startswith(f"{path}/")]
        found = sorted({path + "/" + key[len(path) + 1 :].partition("/")[0] for key in keys})
        if not found:
            raise FileNotFoundError(path)
        return [{"name": name} for name in found] if detail else found

    def rm_file(self, path):
        if path not in self.objects:
            raise RuntimeError("550 No such file or directory")  # as FTP says it
        del self.objects[path]

    def makedirs(self, path, exist_ok=False):
        raise AssertionError("an object store has no folders")

    def mv(self, path1, path2, **_):
        raise AssertionError("an object store has no rename")

    def _object(self, path):
        try:
            return self.objects[path]
        except KeyError:
            raise FileNotFoundError(path) from None
