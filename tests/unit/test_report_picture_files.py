"""Pictures of a page as files: whole on their own, with the legend, as SVG and as PNG."""

import io
import shutil
import struct
import xml.etree.ElementTree as ET

import pytest
from every_page import built

from securefl.cli import browser_pictures
from securefl.errors import UsageError
from securefl.report.picture_files import picture_files

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def files():
    return picture_files(built("whole-report"))


def test_each_picture_is_a_file_of_its_own_name_that_fetches_nothing(files):
    assert len(files) >= 3
    assert len({one.name for one in files}) == len(files)
    for one in files:
        root = ET.fromstring(one.svg)  # noqa: S314 - our own
        assert root.find(f"{SVG}style") is not None
        assert root.find(f"{SVG}title").text
        assert root.attrib["viewBox"] == f"0 0 720 {one.height:g}"
        for word in ("<script", "href", "url(", "@import"):
            assert word not in one.svg


def test_the_legend_stands_in_the_file_and_below_the_picture(files):
    (lengths,) = (one for one in files if "95 % range" in one.svg.replace("\u00a0", " "))
    places = [float(e.attrib["y"]) for e in ET.fromstring(lengths.svg).iter(f"{SVG}text")]  # noqa: S314
    assert max(places) < lengths.height


def test_without_a_browser_png_is_refused_with_the_next_step(monkeypatch, tmp_path):
    monkeypatch.setattr(browser_pictures.shutil, "which", lambda _name: None)
    with pytest.raises(UsageError) as told:
        browser_pictures.write_pictures(built("whole-report"), tmp_path / "s", tmp_path / "p")
    assert "--svg" in told.value.next_step
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_png_has_the_pictures_size_and_is_not_blank(files):
    drawn = browser_pictures.png(files[0], browser_pictures.browser())
    assert drawn.startswith(b"\x89PNG")
    wide, high = struct.unpack(">II", drawn[16:24])
    assert (wide, high) == (1440, 2 * round(files[0].height))
    # a picture has many colours, a sheet that nothing was drawn on has one
    pillow = pytest.importorskip("PIL.Image")
    with pillow.open(io.BytesIO(drawn)) as image:
        assert len(image.convert("RGB").getcolors(1 << 20)) > 20


def test_what_a_browser_wrote_below_the_picture_is_cut_off():
    pillow = pytest.importorskip("PIL.Image")
    whole = pillow.radial_gradient("L").convert("RGB")
    data = io.BytesIO()
    whole.save(data, "PNG")
    with pillow.open(io.BytesIO(browser_pictures.cropped(data.getvalue(), 100))) as image:
        assert image.size == (256, 100)
        assert image.tobytes() == whole.crop((0, 0, 256, 100)).tobytes()


def test_a_browser_that_draws_nothing_is_named(files):
    with pytest.raises(UsageError, match="drew no picture"):
        browser_pictures.png(files[0], "/bin/true")
