import pytest
import rfc8785
from conftest import fixed_identity
from hypothesis import given
from hypothesis import strategies as st

from securefl.errors import MessageError
from securefl.signed import canonical, dump_signed, open_signed

SVI = fixed_identity("SVI", "hospital")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
#: With what no statement holds: floats, and integers of any size.
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)
BODIES = st.dictionaries(TEXT.filter(lambda k: k != "type"), VALUES, max_size=5)


def opened(data, fields):
    return open_signed(
        data,
        kind="t/1",
        fields=frozenset(fields),
        verify=SVI.card.verify,
        sender="SVI",
        max_bytes=1 << 20,
    )


@given(BODIES)
def test_any_body_without_floats_comes_back_as_it_was(body):
    assert opened(dump_signed({"type": "t/1", **body}, SVI.sign), body) == body


@given(ANYTHING)
def test_canonical_bytes_are_those_of_rfc_8785(value):
    try:
        expected = rfc8785.dumps(value)
    except rfc8785.CanonicalizationError:
        with pytest.raises(rfc8785.CanonicalizationError):
            canonical(value)
    else:
        assert canonical(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        {"\U0001f600": 1, "\uffff": 2},
        "".join(map(chr, range(0x20))) + '"\\/\x7f\u2028',
        [True, 1, 1.0, None, -0.0, 1e21, 5e-324],
        2**53 - 1,
        (1, ("a",)),
    ],
)
def test_what_is_easily_written_otherwise_is_written_as_rfc_8785_says(value):
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [2**53, "\ud800", {"\udfff": 1}, float("nan"), {1: 2}, b"a", {1}])
def test_what_rfc_8785_does_not_write_is_refused(value):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the library raises several kinds
        rfc8785.dumps(value)
    with pytest.raises(type(caught.value)):
        canonical(value)


@given(BODIES)
def test_the_order_of_keys_never_shows(body):
    assert canonical(body) == canonical(dict(reversed(body.items())))


@given(BODIES, st.data())
def test_any_single_change_of_a_byte_is_refused(body, data):
    good = dump_signed({"type": "t/1", **body}, SVI.sign)
    i = data.draw(st.integers(0, len(good) - 1))
    flip = data.draw(st.integers(1, 255))
    with pytest.raises(MessageError):
        opened(good[:i] + bytes([good[i] ^ flip]) + good[i + 1 :], body)


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_refused_with_the_sender_named(data):
    with pytest.raises(MessageError) as caught:
        opened(data, {"a"})
    assert caught.value.whose == "SVI"
