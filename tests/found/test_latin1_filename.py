"""A table whose name is no UTF-8: said with its bytes, no traceback, nothing registered."""

import os

from conftest import protocol_text
from hospital_folder import hospital, registered, row, table, typed


def test_a_file_name_that_is_no_utf_8_is_refused_with_its_bytes(tmp_path):
    place = hospital(tmp_path)
    file = tmp_path / os.fsdecode(b"t_\xfc.csv")
    file.write_bytes(table(row("p1", "E"), row("p2")))
    (tmp_path / "p.toml").write_text(protocol_text())
    done = typed(
        "site",
        "data",
        "add",
        "records",
        file,
        "--population",
        "clinic",
        "--columns",
        tmp_path / "p.toml",
        "--site",
        place,
    )
    assert "t_\\xfc.csv has a name that is not UTF-8" in done.error
    assert "Rename the file" in done.mend
    assert registered(tmp_path) == []
