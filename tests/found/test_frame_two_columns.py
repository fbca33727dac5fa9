"""A data frame with two columns of one name: which one is meant cannot be known, so it is refused
by that name.
"""

import pandas as pd
import pytest
from hospital_folder import saved_model

from securefl.errors import DataError
from securefl.learning.table import table_from_frame

FRAME = pd.DataFrame({"age": [50, 60], "TSH": [1.0, 2.0], "sex": ["F", "M"], "sick": ["f", "t"]})


def test_a_frame_with_a_column_twice_is_refused_by_name(tmp_path):
    model = saved_model(tmp_path / "model")
    assert model.scored(FRAME)[1] == [None, None]
    with pytest.raises(DataError, match="names a column twice: age") as caught:
        model.scored(pd.concat([FRAME, FRAME[["age"]]], axis=1))
    assert "Keep one of them" in caught.value.next_step


def test_names_that_are_the_same_text_are_twice_too():
    for names in ([1, "1"], ["age", "age "]):
        with pytest.raises(DataError, match="twice"):
            table_from_frame(pd.DataFrame([[1, 2]], columns=names))
