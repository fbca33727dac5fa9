"""A legal name of two lines got the advice for short names. Each field has words of its own."""

import pytest

from securefl.errors import UsageError
from securefl.party.folder import PartyFolder


@pytest.mark.parametrize(
    ("field", "value", "words", "step"),
    [
        (
            "legal_name",
            "Clinic\nHouse 2",
            "The legal name 'Clinic\\\\nHouse 2'",
            "Write it on one line",
        ),
        ("legal_name", "", "The legal name ''", "1 to 400 characters"),
        ("email", "a\u202eb@c", "The address", "Write it on one line"),
        ("email", "nobody", "is not an address", "Give --email"),
        ("name", "1st", "'1st' cannot be a party's name", "start with a letter"),
        ("name", "Süd", "'Süd' cannot be a party's name", "start with a letter"),
        ("store", "/" + "x" * 5000, "The store", "at most 4,096 characters"),
    ],
)
def test_a_refused_field_is_named_with_its_own_rule(field, value, words, step, tmp_path):
    fields = {
        "name": "S",
        "legal_name": "L",
        "email": "a@b.example",
        "store": str(tmp_path / "s"),
        field: value,
    }
    with pytest.raises(UsageError, match=words) as caught:
        PartyFolder.create(tmp_path / "x", role="hospital", **fields)
    assert step in caught.value.next_step
    assert not (tmp_path / "x").exists()
