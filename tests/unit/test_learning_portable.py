"""A model says the same in every runtime, row by row, and says nothing of the same rows."""

import numpy as np
import onnxruntime
import pytest
from kinds_of_models import KINDS, rows_with_faults, some_model

from securefl.learning.features import rows_for_predict
from securefl.learning.portable import numpy_run
from securefl.learning.portable.of_model import program_of
from securefl.learning.portable.onnx_file import onnx_bytes, onnx_inputs, output_names

ROWS = 1000
#: All arithmetic is in float64, and only the order of additions differs.
AGREES = 1e-9


def as_onnx(model, table):
    session = onnxruntime.InferenceSession(onnx_bytes(model), providers=["CPUExecutionProvider"])
    return session.run(list(output_names(model)), onnx_inputs(model, table))


@pytest.mark.parametrize(("task", "family"), KINDS)
def test_onnx_says_of_1000_rows_what_predict_says(task, family):
    model = some_model(task, family)
    table = rows_with_faults(model, ROWS)
    expected, reasons = model.scored(table)
    found, usable = as_onnx(model, table)
    without = np.array([reason is not None for reason in reasons])
    assert 0 < without.sum() < ROWS / 2
    np.testing.assert_array_equal(usable[:, 0], ~without)
    largest = np.nanmax(np.abs(expected))
    np.testing.assert_allclose(
        found, expected.reshape(ROWS, -1), rtol=0, atol=AGREES * max(1, largest)
    )
    # the control: other weights are told apart by the same comparison
    model.theta[-1] += 0.1
    moved = as_onnx(model, table)[0]
    assert np.nanmax(np.abs(moved - found)) > 1e-6


@pytest.mark.parametrize(("task", "family"), KINDS)
def test_the_program_says_what_family_and_task_say(task, family):
    model = some_model(task, family)
    table = rows_with_faults(model, 64)
    features, reasons = rows_for_predict(table, model.data)
    usable = [reason is None for reason in reasons]
    expected = model.predict(table).reshape(64, -1)
    found = numpy_run.run(program_of(model), features)
    np.testing.assert_allclose(found[usable], expected[usable], rtol=1e-12)
