import pytest
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
