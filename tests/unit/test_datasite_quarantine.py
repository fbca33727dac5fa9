import stat

from securefl.datasite import quarantine
from securefl.datasite.quarantine import Quarantine


def test_a_message_is_kept_with_its_reason(tmp_path):
    box = Quarantine(tmp_path / "q")
    assert box.entries() == ()
    box.add("r@x.y", "m1", "because", b"data")
    box.add("r@x.y", "m2", "too long", None)
    first, second = Quarantine(tmp_path / "q").entries()
    assert (first.sender, first.message, first.reason, first.kept) == (
        "r@x.y",
        "m1",
        "because",
        True,
    )
    assert (second.message, second.kept) == ("m2", False)
    kept = tmp_path / "q" / "r@x.y_m1"
    assert kept.read_bytes() == b"data"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_flood_fills_neither_folder_nor_log(tmp_path, monkeypatch):
    monkeypatch.setattr(quarantine, "MAX_QUARANTINE", 3)
    monkeypatch.setattr(quarantine, "MAX_NAMES", 5)
    box = Quarantine(tmp_path / "q")
    for i in range(9):
        box.add("r@x.y", f"m{i}", "because", b"data")
    assert len(box.entries()) == 5
    assert len(list((tmp_path / "q").iterdir())) <= 5


def test_a_line_that_cannot_be_read_hides_no_other(tmp_path):
    box = Quarantine(tmp_path / "q")
    box.add("r@x.y", "m1", "because", None)
    with (tmp_path / "q" / "log.jsonl").open("ab") as log:
        log.write(b'[1]\n\xff\xfe\n{"at": "now"}\n{"at": "2026-\n')
    box.add("r@x.y", "m2", "because", None)
    assert [entry.message for entry in box.entries()] == ["m1", "m2"]
