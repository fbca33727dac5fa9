"""Pictures in a folder, and a table that names them. Needs Pillow (the extra ``images``)."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, cast

from pydantic import Field

from securefl.origins.beside_table import FilesBesideTable, FilesOrigin
from securefl.origins.origin import not_installed

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The grey of a white point.
_WHITE: Final = 255
#: Points of a picture, at most: a larger one is no picture of this kind.
_MOST_POINTS: Final = 100_000_000


class ImagesBesideTable(FilesBesideTable):
    """Description of pictures: to how many points each is brought."""

    schema_: Literal["securefl-images/1"] = Field(alias="schema")
    width: Annotated[int, Field(ge=1, le=1024)]
    height: Annotated[int, Field(ge=1, le=1024)]


@dataclass(frozen=True)
class ImagesOrigin(FilesOrigin):
    """Pictures as grey points, 0 to 255: column ``r0c0`` is the first point of the first row.

    A picture is brought to the size by means over areas, so that each point is a mean of its own.
    """

    kind: ClassVar[str] = "images"
    schema: ClassVar[str] = "securefl-images/1"
    Description: ClassVar[type[FilesBesideTable]] = ImagesBesideTable

    @property
    def words(self) -> str:
        """See :class:`Origin`."""
        return "a folder of pictures"

    def names(self, said: FilesBesideTable) -> list[str]:
        """See :class:`FilesOrigin`."""
        size = cast("ImagesBesideTable", said)
        return [f"r{row}c{column}" for row in range(size.height) for column in range(size.width)]

    def numbers(self, data: bytes, said: FilesBesideTable) -> Sequence[float] | None:
        """See :class:`FilesOrigin`."""
        try:
            from PIL import Image, UnidentifiedImageError
        except ImportError:
            raise not_installed("Pillow", "images") from None
        size = cast("ImagesBesideTable", said)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(io.BytesIO(data)) as picture:
                    if picture.width * picture.height > _MOST_POINTS:
                        return None
                    grey = picture.convert("L")
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, MemoryError):
            return None
        small = grey.resize((size.width, size.height), Image.Resampling.BOX)
        return list(small.tobytes())

    def scaled(self, numbers: Sequence[float]) -> Sequence[float]:
        """See :class:`FilesOrigin`."""
        return [2 * number / _WHITE - 1 for number in numbers]
