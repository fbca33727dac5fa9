"""Formats in which a model leaves for another program, each behind one :class:`Format`."""

from __future__ import annotations

import json
import runpy
from abc import ABC, abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from securefl.errors import UsageError
from securefl.files import replace_file
from securefl.learning.features import feature_names, rows_for_predict
from securefl.learning.mock import mock_table
from securefl.learning.models import family_of
from securefl.learning.portable.feature_words import model_notes
from securefl.learning.portable.of_model import program_of
from securefl.learning.table import Table, read_table
from securefl.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.learning.artefact import Model
    from securefl.types import FloatArray

#: Invented rows on which a written model is compared with ``predict``.
CHECKED_ROWS: Final = 1000


class Format(ABC):
    """A way to write a model.

    Attributes:
        name: as ``--to`` says it.
        default: name of the file or folder that is written beside the model.
        runtime: package that runs it, where that is none of this program's.
    """

    name: ClassVar[str]
    default: ClassVar[str]
    runtime: ClassVar[str] = ""

    @abstractmethod
    def write(self, model: Model, target: Path) -> None:
        """Write the model to a place where there is nothing yet.

        Raises:
            UsageError: a package is missing, or the model cannot be written so.
        """

    @abstractmethod
    def predictions(
        self,
        model: Model,
        target: Path,
        table: Table,
    ) -> FloatArray | None:
        """Predictions of the written model, float64[n, q]; None where nothing here can run it."""


class Onnx(Format):
    """One file from a table's columns to predictions."""

    name = "onnx"
    default = "model.onnx"
    runtime = "onnxruntime"

    def write(self, model: Model, target: Path) -> None:
        """See :class:`Format`."""
        from securefl.learning.portable.onnx_file import onnx_bytes

        replace_file(target, onnx_bytes(model), mode=0o644)

    def predictions(
        self,
        model: Model,
        target: Path,
        table: Table,
    ) -> FloatArray | None:
        """By onnxruntime, where it is installed."""
        from securefl.learning.portable.onnx_file import onnx_inputs, output_names

        try:
            import onnxruntime
        except ImportError:
            return None
        session = onnxruntime.InferenceSession(
            str(target),
            providers=["CPUExecutionProvider"],
        )
        said, _ = output_names(model)
        found: FloatArray = session.run([said], onnx_inputs(model, table))[0]
        return found


class Torch(Format):
    """A folder: a PyTorch module as Python text, its weights, and a page on its features."""

    name = "torch"
    default = "torch"

    def write(self, model: Model, target: Path) -> None:
        """See :class:`Format`."""
        from safetensors.numpy import save

        from securefl.learning.portable.torch_module import module_text, named_arrays

        program = program_of(model)
        target.mkdir(parents=True)
        replace_file(target / "model.safetensors", save(named_arrays(program)), mode=0o644)
        replace_file(target / "README.md", model_notes(model).encode(), mode=0o644)
        replace_file(target / "model.py", module_text(program).encode(), mode=0o644)

    def predictions(
        self,
        model: Model,
        target: Path,
        table: Table,
    ) -> FloatArray:
        """By the Python file that was written, which holds kinds of steps and numbers alone."""
        import torch

        features, reasons = rows_for_predict(table, model.data)
        module = runpy.run_path(str(target / "model.py"))["Model"]()
        with torch.no_grad():
            found: FloatArray = module(torch.tensor(features)).numpy()
        found[[reason is not None for reason in reasons]] = np.nan
        return found


class Safetensors(Format):
    """One file of weights by name, with the order of the features beside them."""

    name = "safetensors"
    default = "weights.safetensors"

    def write(self, model: Model, target: Path) -> None:
        """See :class:`Format`."""
        from safetensors.numpy import save

        tensors = family_of(model.spec, model.data).tensors(model.theta)
        whole = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
        facts = {
            "title": model.facts.title,
            "model_digest": model.digest,
            "features": json.dumps(feature_names(model.data)),
            "intended_use": model.facts.intended_use,
            "not_to_be_used_after": model.facts.expires,
        }
        replace_file(target, save(whole, metadata=facts), mode=0o644)

    def predictions(
        self,
        model: Model,
        target: Path,
        table: Table,
    ) -> FloatArray:
        """With the weights that were written."""
        from dataclasses import replace

        from safetensors.numpy import load_file

        family = family_of(model.spec, model.data)
        read = replace(model, theta=family.from_tensors(load_file(target)))
        return read.predict(table).reshape(table.rows, -1)


class LightGbm(Format):
    """One text file of trees."""

    name = "lightgbm"
    default = "lightgbm.txt"
    runtime = "lightgbm"

    def write(self, model: Model, target: Path) -> None:
        """See :class:`Format`."""
        from securefl.learning.portable.lightgbm_text import lightgbm_text

        replace_file(target, lightgbm_text(model).encode(), mode=0o644)

    def predictions(
        self,
        model: Model,
        target: Path,
        table: Table,
    ) -> FloatArray | None:
        """By LightGBM, where it is installed."""
        from securefl.learning.portable.lightgbm_text import lightgbm_rows

        try:
            lightgbm = import_module("lightgbm")
        except ImportError:
            return None
        rows, reasons = lightgbm_rows(model, table)
        booster = lightgbm.Booster(model_file=str(target))
        found = np.asarray(booster.predict(rows), dtype=np.float64).reshape(table.rows, -1)
        found[[reason is not None for reason in reasons]] = np.nan
        return found


FORMATS: Registry[type[Format]] = Registry(
    "format",
    {
        "lightgbm": "securefl.learning.portable.formats:LightGbm",
        "onnx": "securefl.learning.portable.formats:Onnx",
        "safetensors": "securefl.learning.portable.formats:Safetensors",
        "torch": "securefl.learning.portable.formats:Torch",
    },
)


def export_model(
    model: Model,
    to: str,
    target: Path,
) -> float | None:
    """Write a model, and compare what it then says of invented rows with ``predict``.

    Returns:
        The largest difference, None where nothing on this machine can run the file.

    Raises:
        NotApprovedError: the model expired, or its owners recalled it.
        UsageError: the format is not known, something is at that place, or as
            :meth:`Format.write`.
    """
    model.check_usable()
    chosen = FORMATS[to]()
    if target.exists():
        raise UsageError(
            f"{target} exists already; nothing is overwritten.",
            whose="whoever exports the model",
            next_step="Name another place: --out PLACE.",
        )
    chosen.write(model, target)
    table = read_table(mock_table(model.data, CHECKED_ROWS, 1))
    found = chosen.predictions(model, target, table)
    if found is None:
        return None
    expected = model.predict(table).reshape(table.rows, -1)
    if not np.array_equal(np.isnan(expected), np.isnan(found)):
        return float("inf")
    return float(np.nanmax(np.abs(found - expected), initial=0.0))
