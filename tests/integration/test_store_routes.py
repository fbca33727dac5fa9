"""Stores behind a house's proxy and an authority of its own: S3, WebDAV and SFTP.

The store's name resolves nowhere but at the proxy, so that what arrives went through it.
"""

import getpass
import json
import secrets
import stat

import pytest
from click.testing import CliRunner
from one_way_out import HOST, authority, proxy, tls
from store_servers import SSHD, make_bucket, s3, sftp, webdav

from securefl.boards.opening import open_board
from securefl.boards.route import DIRECT, Route
from securefl.cli.main import cli
from securefl.errors import SecureFLError, StoreError, UsageError


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch):
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    # a store that is away is asked once
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    return authority(tmp_path_factory.mktemp("house") / "ca")


@pytest.fixture(scope="module")
def other_house(tmp_path_factory):
    return authority(tmp_path_factory.mktemp("other") / "ca")


@pytest.fixture(scope="module")
def outer():
    with proxy() as made:
        yield made


@pytest.fixture(scope="module")
def bucket(house):
    """S3 behind TLS: its URL within the house and the address of its server."""
    with pytest.MonkeyPatch.context() as patch, s3() as address:
        patch.setenv("AWS_ACCESS_KEY_ID", "one")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "two")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        make_bucket(address, "house")
        with tls(int(address.rpartition(":")[2]), house.server) as port:
            # moto takes a bucket from a name that it does not know as its own
            patch.setenv("MOTO_S3_CUSTOM_ENDPOINTS", f"https://{HOST}:{port}")
            patch.setenv("AWS_ENDPOINT_URL", f"https://{HOST}:{port}")
            yield "s3://house/x"


@pytest.fixture(scope="module")
def share(house, tmp_path_factory):
    """WebDAV behind TLS."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("share")
    word = secrets.token_hex(8)
    with (
        pytest.MonkeyPatch.context() as patch,
        webdav(folder, "hospital", word, house.server) as port,
    ):
        patch.setenv("HOME", str(home))
        (home / ".netrc").touch(0o600)
        (home / ".netrc").write_text(f"machine {HOST} login hospital password {word}\n")
        yield f"davs://{HOST}:{port}/x"


@pytest.fixture(params=["bucket", "share"])
def url(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def route(outer, house):
    return Route(outer.url, str(house.file))


def arrives(board):
    board.post("a/b", b"1")
    return board.read("a/b", 1) == b"1"


def refused(url, route):
    with pytest.raises(StoreError) as caught:
        open_board(url, route=route).post("a/b", b"1")
    return caught.value


def test_a_store_behind_proxy_and_authority_is_reached_by_both(url, route, outer):
    before = len(outer.asked)
    assert arrives(open_board(url, route=route))
    assert set(outer.asked[before:]) == {f"CONNECT {HOST}"}


def test_control_without_the_proxy_there_is_no_way(url, house, outer):
    before = len(outer.asked)
    error = refused(url, Route("", str(house.file)))
    assert "name it as `store_proxy` in the settings" in error.next_step
    assert outer.asked[before:] == []


def test_control_without_the_authority_the_server_is_not_believed(url, outer):
    error = refused(url, Route(outer.url))
    assert "CERTIFICATE_VERIFY_FAILED" in error.what
    assert "as `store_ca` in the settings" in error.next_step


def test_another_houses_authority_does_not_count(url, outer, other_house):
    error = refused(url, Route(outer.url, str(other_house.file)))
    assert f"No authority in {other_house.file} signed" in error.next_step


def test_a_proxy_that_is_not_there_is_named(url, house):
    gone = "http://127.0.0.1:9"
    assert (
        f"whether the proxy {gone} is the right one"
        in refused(url, Route(gone, str(house.file))).next_step
    )


def test_a_proxy_that_refuses_the_store_is_named(url, house):
    with proxy("elsewhere.test") as closed:
        error = refused(url, Route(closed.url, str(house.file)))
        assert closed.asked
        assert f"the proxy {closed.url}" in error.next_step


@pytest.mark.parametrize(
    ("days", "name", "said"),
    [(-1, HOST, "not valid today"), (1, "another.test", "for another name")],
)
def test_a_certificate_of_yesterday_or_of_another_is_told_apart(
    share, tmp_path, days, name, said, outer
):
    wrong = authority(tmp_path / "ca", name, days)
    with tls(1, wrong.server) as port:
        error = refused(f"davs://{HOST}:{port}/x", Route(outer.url, str(wrong.file)))
    assert said in error.next_step


@pytest.mark.parametrize("upper", [True, False])
def test_the_accounts_environment_names_both_too(url, house, outer, monkeypatch, upper):
    monkeypatch.setenv("HTTPS_PROXY" if upper else "https_proxy", outer.url)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(house.file))
    monkeypatch.setenv("SSL_CERT_FILE", str(house.file))
    before = len(outer.asked)
    board = open_board(url)
    assert arrives(board)
    assert outer.asked[before:]
    words = DIRECT.words(url)
    assert outer.url in words
    assert str(house.file) in words


def test_an_sftp_host_is_reached_through_the_proxy(outer, tmp_path, monkeypatch):
    need_sshd()
    with sftp(tmp_path) as port:
        monkeypatch.setenv("HOME", str(tmp_path))
        known = tmp_path / ".ssh" / "known_hosts"
        known.write_text(known.read_text().replace("127.0.0.1", HOST))
        url = f"sftp://{getpass.getuser()}@{HOST}:{port}{tmp_path}/store"
        before = len(outer.asked)
        assert arrives(open_board(url, route=Route(outer.url)))
        assert outer.asked[before:] == [f"CONNECT {HOST}"]
        assert "name it as `store_proxy`" in refused(url, DIRECT).next_step  # the control
        with proxy("elsewhere.test") as closed:
            error = refused(url, Route(closed.url))
            assert "does not connect to" in error.what
            assert "403" in error.what
            assert f"the proxy {closed.url}" in error.next_step


@pytest.mark.parametrize("word", ["ProxyJump", "ProxyCommand"])
def test_an_sftp_host_is_reached_through_another(tmp_path, monkeypatch, word):
    """As the account's ssh settings say; the other host resolves the name that this one does not."""
    need_sshd()
    with sftp(tmp_path) as port:
        monkeypatch.setenv("HOME", str(tmp_path))
        keys = tmp_path / ".ssh"
        known = keys / "known_hosts"
        known.write_text(known.read_text() + known.read_text().replace("127.0.0.1", HOST))
        # the ssh of the test looks into the test's home; the jump leads to the test's own server
        ssh = tmp_path / "bin" / "ssh"
        ssh.parent.mkdir()
        ssh.write_text(
            '#!/bin/sh\nfor last; do :; done\necho "$last" >> "$HOME/jumps"\n'
            f'exec /usr/bin/ssh -F none -i "{keys}/id_ed25519" -o UserKnownHostsFile="{known}"'
            f" -o BatchMode=yes -W 127.0.0.1:{port} -p {port} 127.0.0.1\n"
        )
        ssh.chmod(stat.S_IRWXU)
        monkeypatch.setenv("PATH", f"{ssh.parent}:/usr/bin:/bin")
        way = {"ProxyJump": "relay.test", "ProxyCommand": "ssh -W %h:%p ssh://relay.test"}
        (keys / "config").write_text(f"Host {HOST}\n  {word} {way[word]}\n")
        url = f"sftp://{getpass.getuser()}@{HOST}:{port}{tmp_path}/store"
        assert arrives(open_board(url))
        assert (tmp_path / "jumps").read_text() == "ssh://relay.test\n"
        (keys / "config").unlink()
        refused(url, DIRECT)  # the control


def need_sshd():
    if SSHD is None:
        pytest.skip("sshd is not installed (Debian: apt install openssh-server)")


def test_the_check_of_a_store_says_by_which_way_and_what_is_missing(share, house, outer, tmp_path):
    by_both = ("--store-proxy", outer.url, "--store-ca", str(house.file))
    said = run("store", "check", share, *by_both)
    assert f"ok      route: through the proxy {outer.url}" in said
    assert f"the authorities in {house.file} alone" in said
    without_ca = run("store", "check", share, *by_both[:2], code=10)
    assert "FAILED  route" in without_ca
    assert "`store_ca`" in without_ca
    assert "rights" not in without_ca
    without_proxy = run("store", "check", share, *by_both[2:], code=10)
    assert "FAILED  route: straight, without a proxy" in without_proxy
    assert "`store_proxy`" in without_proxy
    (first, *_) = json.loads(run("store", "check", share, *by_both, "--json", "-"))["checks"]
    assert (first["check"], first["result"]) == ("route", "ok")


def test_a_party_keeps_its_way_in_its_settings(share, house, outer, tmp_path):
    place = tmp_path / "sums"
    run(
        *("aggregator", "init", str(place), "--name", "sums", "--legal-name", "A", "--email"),
        *("a@b.example", "--store", share),
        *("--store-proxy", outer.url, "--store-ca", str(house.file)),
    )
    text = (place / "aggregator.toml").read_text()
    assert f'store_proxy = "{outer.url}"' in text
    assert f'store_ca = "{house.file}"' in text
    assert "ok      rights" in run("store", "check", "--folder", str(place))
    # a file in the party's own folder may be named from there
    (place / "house.pem").write_bytes(house.file.read_bytes())
    named = text.replace(str(house.file), "house.pem")
    (place / "aggregator.toml").write_text(named)
    assert "ok      rights" in run("store", "check", "--folder", str(place))
    (place / "aggregator.toml").write_text(named.replace("house.pem", "none.pem"))
    assert "none.pem cannot be read" in run("store", "check", "--folder", str(place), code=2)


def run(*arguments, code=0):
    try:
        done = CliRunner().invoke(cli, arguments, env={"COLUMNS": "400"}, catch_exceptions=False)
    except SecureFLError as error:
        assert int(error.exit_code) == code  # noqa: PT017 - either way it ends
        return str(error)
    assert done.exit_code == code, done.output
    return done.output


@pytest.mark.parametrize(
    ("url", "proxy", "ca", "said"),
    [
        ("/mnt/share", "http://p:1", "", "takes no proxy"),
        ("ftp://host/x", "http://p:1", "", "takes no proxy"),
        ("sftp://host/x", "", "ca.pem", "knows no certificate authorities"),
        ("s3://b/x", "proxy.example", "", "is no proxy's address"),
        ("s3://b/x", "socks5://p:1", "", "is no proxy's address"),
        ("s3://b/x", "http://p:port", "", "is no proxy's address"),
        ("s3://b/x", "http://me:word@p:1", "", "settings hold no passwords"),
        ("s3://b/x", "", "/nowhere/ca.pem", "cannot be read: No such file"),
        ("davs://h/x", "", __file__, "holds no certificate"),
    ],
)
def test_a_way_that_leads_nowhere_is_refused_with_the_mend(url, proxy, ca, said):
    with pytest.raises(UsageError, match=said) as caught:
        open_board(url, route=Route(proxy, ca))
    assert caught.value.next_step
    assert "word" not in str(caught.value).replace("passwords", "")
