"""The conformance tests over real servers on this machine: S3, SFTP and WebDAV."""

import getpass
import secrets

import pytest
from board_conformance import BoardConformance
from store_servers import SSHD, make_bucket, s3, sftp, webdav

from securefl.boards.opening import open_board
from securefl.errors import StoreError

pytestmark = pytest.mark.slow


class OnServer(BoardConformance):
    @pytest.fixture
    def opened(self, place):
        url = place(secrets.token_hex(8))
        return lambda marker: open_board(url, marker)


@pytest.fixture(scope="module")
def bucket():
    with pytest.MonkeyPatch.context() as patch, s3() as address:
        patch.setenv("AWS_ACCESS_KEY_ID", "one")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "two")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", address)
        make_bucket(address, "consortium")
        yield lambda name: f"s3://consortium/{name}"


class TestS3(OnServer):
    @pytest.fixture
    def place(self, bucket):
        return bucket


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    if SSHD is None:
        pytest.skip("sshd is not installed (Debian: apt install openssh-server)")
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, sftp(home) as port:
        patch.setenv("HOME", str(home))
        user = getpass.getuser()
        yield lambda name: f"sftp://{user}@127.0.0.1:{port}{home}/{name}"


class TestSftp(OnServer):
    @pytest.fixture
    def place(self, host):
        return host


def test_a_host_whose_key_is_not_known_is_no_store(host, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StoreError, match="not found in known_hosts"):
        open_board(host("x"))


def test_a_connection_that_broke_is_made_again(host):
    board = open_board(host("again"))
    board.post("a/b", b"1")
    board._carrier._system.client.close()
    assert board.read("a/b", 10) == b"1"


@pytest.fixture(scope="module")
def share(tmp_path_factory):
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("share")
    word = secrets.token_hex(8)
    with pytest.MonkeyPatch.context() as patch, webdav(folder, "hospital", word) as port:
        patch.setenv("HOME", str(home))
        (home / ".netrc").touch(0o600)
        (home / ".netrc").write_text(f"machine 127.0.0.1 login hospital password {word}\n")
        yield lambda name: f"dav://127.0.0.1:{port}/{name}"


class TestWebdav(OnServer):
    @pytest.fixture
    def place(self, share):
        return share


def test_a_server_that_does_not_know_the_password_says_so(share, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StoreError, match=r"[Uu]nauthorized|401"):
        open_board(share("x")).post("a", b"1")
