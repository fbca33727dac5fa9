"""Any single edit of a study changes its digest or makes it invalid; rewriting it without an edit
does neither.
"""

import copy

from conftest import make_study
from hypothesis import given, settings
from hypothesis import strategies as st

from securefl.errors import StudyError
from securefl.study.parse import load_raw
from securefl.study.seal import dump_toml
from securefl.study.sealed import SealedStudy

TEXT = make_study()[0]
RAW = load_raw(TEXT)
DIGEST = SealedStudy.read(TEXT).digest


def leaves(value, path=()):
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    else:
        yield path


LEAVES = sorted(leaves(RAW), key=str)


def parent(raw, path):
    for key in path[:-1]:
        raw = raw[key]
    return raw


def digest_or_none(raw):
    try:
        return SealedStudy.read(dump_toml(raw)).digest
    except StudyError:
        return None


def another(draw, value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return draw(st.integers(0, 1 << 24).filter(lambda n: n != value))
    if isinstance(value, str):
        position = draw(st.integers(0, len(value)))
        char = draw(st.characters(codec="utf-8"))
        changed = value[:position] + char + value[position + draw(st.integers(0, 1)) :]
        return changed if changed != value else value + char
    return value.replace(day=draw(st.integers(2, 28)))


@given(st.sampled_from(LEAVES), st.data())
def test_a_changed_value_is_another_study_or_none(path, data):
    raw = copy.deepcopy(RAW)
    holder = parent(raw, path)
    holder[path[-1]] = another(data.draw, holder[path[-1]])
    assert digest_or_none(raw) != DIGEST


@given(st.sampled_from(LEAVES))
def test_a_removed_value_is_another_study_or_none(path):
    raw = copy.deepcopy(RAW)
    del parent(raw, path)[path[-1]]
    assert digest_or_none(raw) != DIGEST


@given(
    st.sampled_from([p for p in LEAVES if isinstance(p[-1], str)]),
    st.from_regex(r"[a-z_]{1,12}", fullmatch=True),
)
def test_an_added_key_is_another_study_or_none(path, name):
    raw = copy.deepcopy(RAW)
    holder = parent(raw, path)
    if name in holder:
        return
    holder[name] = "x"
    assert digest_or_none(raw) != DIGEST


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_is_no_edit(random):
    def shuffled(value):
        if isinstance(value, dict):
            return {k: shuffled(v) for k, v in random.sample(list(value.items()), len(value))}
        return [shuffled(v) for v in value] if isinstance(value, list) else value

    assert digest_or_none(shuffled(RAW)) == DIGEST


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10_000), st.sampled_from(["", "  ", "# note", "\t# [x] = 1", "#" * 200])
        ),
        max_size=8,
    )
)
def test_comments_and_empty_lines_are_no_edit(insertions):
    # no insertion inside the one text of several lines: dump_toml writes every text on one line
    lines = TEXT.split("\n")
    for place, text in insertions:
        lines.insert(place % len(lines), text)
    assert SealedStudy.read("\n".join(lines)).digest == DIGEST
