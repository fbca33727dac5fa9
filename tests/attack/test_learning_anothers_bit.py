"""One more patient moves the integers of others, by the order in which a float sum adds its terms.

A model sent to the hospitals puts every patient's clipped gradient on a grid line. Where a row's
norm is summed in another order when another row stands beside it, its last bit changes, and
thousands of values of *other* patients move by a unit.
"""

import numpy as np
from grid_lines import GRID, SHAPES, WEIGHTS, GridLines

from securefl.learning import clipping

FEATURES, HIDDEN = SHAPES[1]
#: Patients in the table before the new one comes; 14 of them train, two full pieces of seven that
#: are clipped at a time.
OTHERS = 16


def moves(room: GridLines) -> list[tuple[bool, int]]:
    """For each of the models: whether one patient who joins moves the others' sum, and the squared
    length of the whole move.
    """
    base = [line for i in range(OTHERS) for line in room.rows(f"P{i}", "-")]
    new = room.rows("NEW7", "E")
    before, after, alone = room.task(base), room.task(new + base), room.task(new)
    found = []
    for w in WEIGHTS:
        whole = room.total(after, w) - room.total(before, w)
        found.append(
            (bool((whole != room.total(alone, w)).any()), int((whole.astype(object) ** 2).sum()))
        )
    return found


def test_a_patient_who_joins_moves_no_other_and_the_sum_by_no_more_than_the_clip():
    for others, square in moves(GridLines(FEATURES, HIDDEN)):
        assert not others
        assert 0 < square <= GRID**2


def test_control_a_sum_in_the_order_of_numpys_buffer_moves_others_and_breaks_the_promise(
    monkeypatch,
):
    ones = np.ones
    monkeypatch.setattr(
        clipping, "sum_in_order", lambda rows: np.einsum("ij,ij->i", rows, ones(rows.shape))
    )
    found = moves(GridLines(FEATURES, HIDDEN))
    assert all(others for others, _ in found)
    assert max(square for _, square in found) > GRID**2
