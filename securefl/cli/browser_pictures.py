"""Pictures as PNG, drawn by a browser that is installed beside securefl.

A library that draws SVG would be one more thing in every hospital, for pictures that researchers
want. A browser is there already, and draws them exactly as on the page.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from securefl.errors import UsageError
from securefl.files import replace_file
from securefl.report.svg import WIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.report.page import Page
    from securefl.report.picture_files import PictureFile

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 60
#: Dots for each unit of a picture: 1440 across, enough for a printed column.
_DOTS = 2
#: Units below the picture: a window's own bars take some of its height, and are cut off again.
_SPARE = 200
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def write_pictures(page: Page, svg_folder: Path | None, png_folder: Path | None) -> None:
    """Write every picture of a page.

    Raises:
        UsageError: a folder cannot be written, or no browser is there for PNG.
    """
    from securefl.report.picture_files import picture_files

    program = browser() if png_folder else ""
    try:
        for picture in picture_files(page):
            if svg_folder:
                svg_folder.mkdir(parents=True, exist_ok=True)
                replace_file(svg_folder / f"{picture.name}.svg", picture.svg.encode())
            if png_folder:
                png_folder.mkdir(parents=True, exist_ok=True)
                replace_file(png_folder / f"{picture.name}.png", png(picture, program))
    except OSError as error:
        raise UsageError(
            f"The pictures cannot be written: {error.strerror}.", next_step="Name another folder."
        ) from None


def browser() -> str:
    """The browser that draws.

    Raises:
        UsageError: none is installed.
    """
    for name in _BROWSERS:
        found = shutil.which(name)
        if found:
            return found
    raise UsageError(
        "PNG pictures are drawn by Chromium, and it is not installed.",
        next_step="On Debian: apt install chromium. Or take SVG: --svg DIR.",
    )


def png(picture: PictureFile, program: str) -> bytes:
    """One picture as the browser draws it.

    Raises:
        UsageError: the browser drew nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "picture.svg"
        size = f'<svg width="{WIDE}" height="{round(picture.height)}" '
        source.write_text(picture.svg.replace("<svg ", size, 1), "utf-8")
        drawn = Path(folder) / "picture.png"
        command = [program, *_options(folder, picture.height), f"--screenshot={drawn}"]
        try:
            subprocess.run(
                [*command, source.as_uri()], capture_output=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            drawn.unlink(missing_ok=True)
        if not drawn.is_file():
            raise UsageError(
                f"{program} drew no picture.", next_step="Take SVG instead: --svg DIR."
            )
        return cropped(drawn.read_bytes(), _DOTS * round(picture.height))


def cropped(data: bytes, rows: int) -> bytes:
    """The uppermost rows of a PNG that is not interlaced, as a browser writes it.

    Rows follow each other from above, each filtered by the one before (PNG, ISO 15948, 7.2), so the
    first of them are whole without the rest.
    """
    chunks = list(_chunks(data))
    wide, _, bits, colour = struct.unpack(">IIBB", chunks[0][1][:10])
    channels = {2: 3, 6: 4}[colour]
    row = 1 + wide * channels * bits // 8
    pixels = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    head = struct.pack(">II", wide, rows) + chunks[0][1][8:]
    kept = ((b"IHDR", head), (b"IDAT", zlib.compress(pixels[: row * rows], 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, body) for kind, body in kept)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += size + 12


def _chunk(kind: bytes, body: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + check


def _options(folder: str, height: float) -> list[str]:
    options = [
        "--headless",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--hide-scrollbars",
        f"--user-data-dir={folder}/profile",
        f"--force-device-scale-factor={_DOTS}",
        f"--window-size={WIDE},{round(height) + _SPARE}",
    ]
    if os.geteuid() == 0:
        # Chromium has no sandbox for root; the picture is our own, with every text escaped
        options.append("--no-sandbox")
    return options
