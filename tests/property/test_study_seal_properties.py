import copy
from datetime import datetime, timedelta, timezone

from conftest import make_study
from hypothesis import given
from hypothesis import strategies as st

from securefl.errors import StudyError
from securefl.study.parse import load_raw, parse_study
from securefl.study.seal import dump_toml

STUDY = load_raw(make_study()[0])
NASTY = [
    '"""',
    "'''",
    "\\",
    "\\n",
    "\\u0041",
    "\\U0001F600",
    "]]",
    "[privacy]",
    "a = 1",
    "# no comment",
    "\x00",
    "\x1b[2J",
    "\x7f",
    "\x85",
    "\u2028",
    "\u202e",
    "\ufeff",
    "\r\n",
    "\r",
    "\n",
    "\t",
    '"',
    '\\"',
    "é",
    "e\u0301",
    "😀",
    "{",
    "}",
    "=",
    "",
    " ",
]
TEXTS = st.lists(
    st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    max_size=6,
).map("".join)
TIMES = st.builds(
    lambda t, minutes: t.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes))),
    st.datetimes(datetime(2000, 1, 2), datetime(2999, 12, 30)),  # noqa: DTZ001 - the zone follows
    st.integers(-1439, 1439),
)
SCALARS = TEXTS | st.integers(-(2**63), 2**63 - 1) | st.booleans() | TIMES
TABLES = st.recursive(
    st.dictionaries(TEXTS, SCALARS | st.lists(SCALARS, max_size=3), max_size=4),
    lambda inner: st.dictionaries(
        TEXTS, SCALARS | inner | st.lists(inner, min_size=1, max_size=3), max_size=3
    ),
    max_leaves=6,
)


def depth(value):
    return (
        1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)
        if isinstance(value, dict | list)
        else 1
    )


@given(TABLES.filter(lambda t: depth(t) <= 8))
def test_whatever_a_file_may_hold_comes_back_from_its_text(raw):
    assert load_raw(dump_toml(raw)) == raw


@given(TEXTS, TEXTS, TEXTS)
def test_texts_of_a_study_come_back_letter_by_letter_or_the_study_is_refused(
    purpose, title, source
):
    raw = copy.deepcopy(STUDY)
    raw["study"] |= {"purpose": purpose, "title": title}
    raw["participants"][2]["weight_source"] = source
    text = dump_toml(raw)
    try:
        study = parse_study(text)
    except StudyError:
        return
    assert (study.study.purpose, study.study.title, study.participants[2].weight_source) == (
        purpose,
        title,
        source,
    )
    hidden = {"\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\r"}
    assert not hidden & set(purpose + title + source)


@given(st.permutations(range(5)), TEXTS)
def test_dumping_what_was_read_gives_the_same_text_again(order, purpose):
    raw = copy.deepcopy(STUDY)
    raw["participants"] = [raw["participants"][i] for i in order]
    raw["study"]["purpose"] = purpose
    text = dump_toml(raw)
    assert dump_toml(load_raw(text)) == text
