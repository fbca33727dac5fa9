"""The key of an agent's run is good in its own file on its own machine, and for its owner alone."""

import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from securefl.errors import RoundError, TwoCopiesError, UnreadableError
from securefl.node import run_key
from securefl.node.run_key import RunKey


@pytest.fixture
def kept(tmp_path):
    key = X25519PrivateKey.generate()
    RunKey(tmp_path / "study").keep(key)
    return key


def test_a_kept_key_is_read_again_and_stays_the_first(tmp_path, kept):
    here = RunKey(tmp_path / "study")
    assert here.read().private_bytes_raw() == kept.private_bytes_raw()
    here.keep(X25519PrivateKey.generate())
    assert here.read().private_bytes_raw() == kept.private_bytes_raw()
    here.check_here()
    file = tmp_path / "study" / "run.key"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_copied_folder_holds_no_run(tmp_path, kept):
    shutil.copytree(tmp_path / "study", tmp_path / "copy")
    there = RunKey(tmp_path / "copy")
    assert there.read() is None
    with pytest.raises(TwoCopiesError, match="copied, or put back") as caught:
        there.check_here()
    assert caught.value.next_step
    fresh = X25519PrivateKey.generate()
    there.keep(fresh)  # it may begin a run of its own
    assert there.read().private_bytes_raw() == fresh.private_bytes_raw()


def test_another_machine_holds_no_run(tmp_path, kept, monkeypatch):
    other = tmp_path / "machine-id"
    other.write_text("another machine\n")
    monkeypatch.setattr(run_key, "_MACHINE", other)
    assert RunKey(tmp_path / "study").read() is None


def test_a_machine_without_an_id_goes_by_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(run_key, "_MACHINE", tmp_path / "none")
    here = RunKey(tmp_path / "study")
    here.keep(X25519PrivateKey.generate())
    assert here.read() is not None


def test_without_a_key_there_is_nothing_to_go_on_with(tmp_path, kept):
    here = RunKey(tmp_path / "study")
    here.erase()
    here.erase()
    assert here.read() is None
    with pytest.raises(RoundError, match="holds no run that can go on"):
        here.check_here()


def test_half_a_key_is_none(tmp_path, kept):
    file = tmp_path / "study" / "run.key"
    with file.open("r+b") as part:
        part.truncate(40)
    assert RunKey(tmp_path / "study").read() is None


def test_a_key_that_others_may_read_is_refused(tmp_path, kept):
    (tmp_path / "study" / "run.key").chmod(0o640)
    with pytest.raises(UnreadableError, match="readable by others"):
        RunKey(tmp_path / "study").read()
