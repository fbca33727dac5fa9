"""No file, however made, gets anything out of the parser but a study or a StudyError; and its lines
stay honest.
"""

import copy
import tomllib

from conftest import PROTOCOL, make_study
from hypothesis import given
from hypothesis import strategies as st

from securefl.errors import StudyError
from securefl.study.lines import line_index
from securefl.study.parse import load_raw, parse_protocol, parse_study
from securefl.study.seal import dump_toml

STUDY = make_study()[0]
RAW = load_raw(STUDY)
VALUES = st.recursive(
    st.integers(-(2**70), 2**70).filter(lambda n: abs(n) < 2**63)
    | st.booleans()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(["1/5", "1e-5", "0", "1", "numeric", "9" * 50, "1e-999"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "kind", "low", "high", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
).filter(
    lambda v: (
        not isinstance(v, list)
        or not any(isinstance(x, dict) for x in v)
        or all(isinstance(x, dict) for x in v)
    )
)


def refusal(parse, text):
    """The error's text, or nothing where the file is accepted; any other error is the test's
    failure.
    """
    try:
        parse(text)
    except StudyError as error:
        return error.what
    return ""


def tables(value, path=()):
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(value, dict):
            yield (*path, key)
        if isinstance(inner, dict | list):
            yield from tables(inner, (*path, key))


PLACES = sorted(tables(RAW), key=str)


@given(st.sampled_from(PLACES), VALUES)
def test_any_value_in_any_place_is_accepted_or_refused_with_a_line_and_never_crashes(path, value):
    raw = copy.deepcopy(RAW)
    holder = raw
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    try:
        text = dump_toml(raw)
    except TypeError:
        return
    what = refusal(parse_study, text)
    assert what == "" or "line " in what or "schema" in what or "deep" in what


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_study_error(data):
    assert refusal(parse_protocol, data)


@given(
    st.integers(0, len(PROTOCOL)),
    st.integers(0, 30),
    st.text(st.sampled_from("\"'[]{}=.,#\\\n \ta1"), max_size=6),
)
def test_a_torn_protocol_is_accepted_or_refused_and_its_lines_are_lines_of_the_file(
    at, cut, insert
):
    text = PROTOCOL[:at] + insert + PROTOCOL[at + cut :]
    refusal(parse_protocol, text)
    count = text.count("\n") + 1
    assert all(1 <= line <= count for line in line_index(text).values())


def paths(value, path=()):
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from paths(inner, (*path, key))


@given(st.integers(0, len(PROTOCOL)), st.text(st.sampled_from("\"'[]{}=.,#\n a1"), max_size=4))
def test_every_value_that_toml_finds_has_a_line(at, insert):
    text = PROTOCOL[:at] + insert + PROTOCOL[at:]
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(paths(raw)) <= set(line_index(text))
