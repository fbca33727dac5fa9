"""`--store "$UNSET"` was the current folder, `memory://` a healthy store, and `\\\\srv\\share` a
folder of that name.
"""

import pytest
from command_line_hospital import hospital, init, securefl, words


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("", "The store is empty text"),
        ("memory://x", "nothing that several machines share"),
        (r"\\srv\share", "is a Windows path"),
        ("nonsense://x", "no kind of store"),
        ("s3:/x", "Write s3://x"),
    ],
)
def test_what_is_no_shared_store_is_refused_and_nothing_is_made(store, said, tmp_path):
    done = init(tmp_path / "S", store, cwd=tmp_path)
    assert done.returncode == 2
    assert said in words(done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_init_tries_the_store(tmp_path):
    (tmp_path / "file").touch()
    done = init(tmp_path / "S", tmp_path / "file" / "store")
    assert done.returncode == 10
    assert "cannot be written" in words(done.stderr)
    assert not (tmp_path / "S").exists()


def test_doctor_refuses_such_a_store_in_old_settings(tmp_path):
    folder = hospital(tmp_path)
    settings = folder / "site.toml"
    settings.write_text(settings.read_text().replace(str(tmp_path / "store"), "memory://x"))
    done = securefl("doctor", "--folder", folder)
    line = next(x for x in done.stdout.splitlines() if " store " in x)
    assert line.startswith("FAILED")
    assert "nothing that several machines share" in line
