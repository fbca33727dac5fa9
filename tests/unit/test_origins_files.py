"""Pictures and signals in a folder: what is taken out of them, file by file."""

import csv
import hashlib
import io
import wave

import numpy as np
import pytest
from PIL import Image

from securefl.errors import DataError, StudyError
from securefl.learning.graphs.backbone_export import export_backbone
from securefl.origins.origin import origin_of
from securefl.origins.writing import write_table

IMAGES = """\
schema = "securefl-images/1"
table = "pictures.csv"
folder = "pictures"
file = "picture"
width = 2
height = 1
"""
SIGNALS = """\
schema = "securefl-signals/1"
table = "pictures.csv"
folder = "pictures"
file = "picture"
stretches = 2
"""
MODEL = """\
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 3), nn.Tanh())

    def forward(self, x):
        return self.layers(x)
"""
WEIGHTS = {
    "layers.0.weight": np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
    "layers.0.bias": np.array([0.0, 0.5, -0.5]),
}


def place(folder, text, **files):
    """A table of these files' names, the files, and the description."""
    (folder / "pictures").mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / "pictures" / name).write_bytes(data)
    lines = ["patient,picture,digit", *(f"{n},{name},{n % 2}" for n, name in enumerate(files))]
    (folder / "pictures.csv").write_text("\n".join(lines) + "\n")
    (folder / "what.toml").write_text(text)
    return folder / "what.toml"


def taken(description):
    file = description.parent / "taken.csv"
    file.unlink(missing_ok=True)
    write_table(origin_of(description), file)
    return list(csv.reader(io.StringIO(file.read_text())))


def picture(points, kind="PNG"):
    data = io.BytesIO()
    Image.fromarray(np.array(points, dtype=np.uint8)).save(data, kind)
    return data.getvalue()


def sound(samples, width=2, channels=1):
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(500)
        kind = {1: "u1", 2: "<i2", 4: "<i4"}[width]
        file.writeframes(np.array(samples, dtype=kind).tobytes())
    return data.getvalue()


HALVES = picture([[0, 0, 255, 255], [100, 200, 255, 255]])


def test_a_picture_becomes_the_means_of_its_areas(tmp_path):
    rows = taken(place(tmp_path, IMAGES, a=HALVES, b=picture([[7, 9]])))
    assert rows[0] == ["patient", "digit", "r0c0", "r0c1"]
    assert rows[1:] == [["0", "0", "75", "255"], ["1", "1", "7", "9"]]


def test_a_signal_becomes_the_means_of_equal_stretches(tmp_path):
    both = [1, 100, 1, 100, 3, 100, 3, 100]  # two channels
    rows = taken(
        place(
            tmp_path,
            SIGNALS,
            a=sound([0, 16384, -32768, -32768]),
            b=sound([128, 128, 0, 0], width=1),
            c=sound([n << 24 for n in both], width=4, channels=2),
        )
    )
    assert rows[0] == ["patient", "digit", "s0", "s1"]
    found = [[float(cell) for cell in row[2:]] for row in rows[1:]]
    assert found == [[0.25, -1.0], [0.0, -1.0], [1 / 128, 3 / 128]]


BROKEN = {
    "words": b"no picture",
    "empty": b"",
    "cut": HALVES[: len(HALVES) // 2],
}


@pytest.mark.parametrize("text", [IMAGES, SIGNALS], ids=["images", "signals"])
def test_a_file_that_is_none_leaves_its_own_row_empty_and_no_other(tmp_path, text):
    whole = HALVES if text is IMAGES else sound([1, 2])
    described = place(tmp_path, text, first=whole, **BROKEN, last=whole)
    table = tmp_path / "pictures.csv"
    table.write_text(table.read_text() + "9,gone,1\n10,../what.toml,0\n11,,1\n")
    first, *others = taken(described)[1:]
    broken = [others[place] for place in (0, 1, 2, 4, 5, 6)]
    assert [row[2:] for row in broken] == [["", ""]] * 6
    assert others[3][2:] == first[2:] != ["", ""]


def test_a_patients_numbers_stay_whoever_else_is_there(tmp_path):
    """Rule 10; the control changes that patient's own picture."""
    alone = taken(place(tmp_path, IMAGES, a=HALVES))[1][2:]
    more = place(tmp_path, IMAGES, b=picture([[255, 255]]), a=HALVES, c=b"")
    assert taken(more)[2][2:] == alone
    assert taken(place(tmp_path, IMAGES, a=picture([[0, 255]])))[1][2:] != alone


def backbone(folder):
    return export_backbone(MODEL, WEIGHTS, folder / "backbone.safetensors", inputs=2, features=3)


def with_backbone(sha256, text=IMAGES):
    return f'{text}[backbone]\nfile = "backbone.safetensors"\nsha256 = "{sha256}"\n'


def test_a_pinned_backbone_makes_features_whose_names_carry_its_hash(tmp_path):
    sha256 = backbone(tmp_path)
    file = tmp_path / "backbone.safetensors"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == sha256
    rows = taken(place(tmp_path, with_backbone(sha256), a=HALVES, b=b"none", c=HALVES))
    assert rows[0][2:] == [f"b{sha256[:12]}_{n}" for n in range(3)]
    x = np.array([75.0, 255.0]) * 2 / 255 - 1
    expected = np.tanh(WEIGHTS["layers.0.weight"] @ x + WEIGHTS["layers.0.bias"])
    np.testing.assert_allclose([float(cell) for cell in rows[1][2:]], expected, atol=1e-6)
    assert rows[2][2:] == ["", "", ""]
    assert rows[3][2:] == rows[1][2:]


def test_another_backbone_than_the_pinned_one_is_refused(tmp_path):
    sha256 = backbone(tmp_path)
    described = place(tmp_path, with_backbone("0" * 64), a=HALVES)
    with pytest.raises(DataError, match="is not the backbone that is pinned"):
        taken(described)
    described.write_text(with_backbone(sha256).replace("width = 2", "width = 3"))
    with pytest.raises(DataError, match="takes 2 numbers, and a file has 3"):
        taken(described)
    for junk in (b"", b"\xff" * 100, (1 << 40).to_bytes(8, "little") + b"{}"):
        (tmp_path / "backbone.safetensors").write_bytes(junk)
        described.write_text(with_backbone(hashlib.sha256(junk).hexdigest()))
        with pytest.raises(DataError, match="is no backbone"):
            taken(described)


def test_weights_of_another_model_make_no_backbone(tmp_path):
    with pytest.raises(StudyError, match="has 0 tensors, and not the 2 of its graph"):
        export_backbone(MODEL, {}, tmp_path / "b.safetensors", inputs=2, features=3)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("width = 2", "width = 0", "width"),
        ("width = 2", "width = 1000", "makes 9,000 numbers"),
        ('file = "picture"', 'file = "none"', "no column 'none'"),
        ('table = "pictures.csv"', 'table = "gone.csv"', "cannot be opened"),
    ],
)
def test_a_description_that_fits_nothing_is_refused(tmp_path, old, new, why):
    described = place(tmp_path, IMAGES, a=HALVES)
    described.write_text(IMAGES.replace(old, new).replace("height = 1", "height = 9"))
    with pytest.raises(DataError, match=why):
        taken(described)
