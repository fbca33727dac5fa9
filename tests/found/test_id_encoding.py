"""Identifiers in another encoding than the table is read in: three people do not become one."""

from hospital_folder import register, row, table

from securefl.learning.features import prepare
from securefl.learning.reading import Reading
from securefl.learning.table import read_table
from securefl.node.site import Site
from securefl.study.parse import parse_protocol

TEXT = table(*(row(name) for name in ("Müller", "Möller", "Mäller", "Meier"))).decode()
WINDOWS = TEXT.encode("cp1252")


def patients(content, reading):
    from conftest import protocol_text

    prepared = prepare(
        read_table(content, reading), parse_protocol(protocol_text()).data, b"s" * 32
    )
    return sorted(prepared.patients), prepared.set_aside


def test_a_row_whose_identifier_is_damaged_is_set_aside_by_name():
    kept, aside = patients(WINDOWS, Reading())
    assert kept == ["Meier"]
    assert aside == {"patient_id: not valid in the table's encoding": 3}


def test_read_as_its_owner_says_all_are_there():
    assert patients(WINDOWS, Reading("cp1252"))[0] == ["Meier", "Mäller", "Möller", "Müller"]


def test_a_damaged_feature_or_label_sets_its_row_aside_and_a_damaged_note_does_not():
    lines = [
        b"p1,30,1,F\xfc,f,-,",
        b"p2,30\xfc,1,F,f,-,",
        b"p3,30,1,F,f,\xfc,",
        b"p4,30,1,F,f,-,\xfc",
    ]
    kept, aside = patients(
        b"patient_id,age,TSH,sex,sick,target,note\n" + b"\n".join(lines), Reading()
    )
    assert kept == ["p4"]
    assert aside == {
        f"{column}: not valid in the table's encoding": 1 for column in ("age", "sex", "target")
    }


def test_the_owner_is_told_the_likely_encoding_and_can_register_it_so(tmp_path):
    done = register(tmp_path, WINDOWS)
    assert "3 set aside (patient_id: not valid in the table's encoding)" in done.words
    assert (
        "3 lines, the first is line 2, are not text in utf-8. It could be text in cp1252"
        in done.words
    )
    assert "--encoding cp1252" in done.words
    again = register(tmp_path, WINDOWS, "--encoding", "windows-1252")
    assert "It is read as text in cp1252" in again.words
    assert "4 rows, 4 can be used" in again.words
    (entry,) = Site.at(tmp_path / "hospital").settings.datasets
    assert entry.reading == Reading("cp1252", ",", ".")


def test_an_encoding_that_nobody_knows_or_that_hides_its_lines_is_refused(tmp_path):
    for name in ("klingon", "utf-16", "utf-7", "base64", "cp037"):
        done = register(tmp_path, WINDOWS, "--encoding", name)
        assert f"'{name}' is no encoding that tables are read in" in done.error
