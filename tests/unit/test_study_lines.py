import tomllib

import pytest

from securefl.study.lines import line_index

TEXT = '''\
# comment
top = 1
"quoted key" = 2
'literal' = 3

[a]
x = """
[b]
y = "not a key"
"""
y = \'\'\'
[c]
\'\'\'   # [d]
z = "[e] # no comment"  # a comment with "quotes
t = 'it''s'

[a . "sub"]
q.r.s = 2026-01-01T00:00:00Z

[[many]]
n = 1
list = [ 1, [2, 3],  # two
  { p = "}", q = ["]"] },
]
[[many]]
n = 2
[many.inner]
deep = true
[[many.more]]
k = 1
[[many.more]]
k = 2
'''.replace("t = 'it''s'\n", "t = 'its'\n")

EXPECTED = {
    ("top",): "top =",
    ("quoted key",): '"quoted key"',
    ("literal",): "'literal'",
    ("a",): "[a]",
    ("a", "x"): "x =",
    ("a", "y"): "y = '''",
    ("a", "z"): "z =",
    ("a", "t"): "t =",
    ("a", "sub"): "[a . ",
    ("a", "sub", "q", "r", "s"): "q.r.s",
    ("a", "sub", "q"): "q.r.s",
    ("many", 0): "[[many]]",
    ("many", 0, "n"): "n = 1",
    ("many", 0, "list", 1): "list =",
    ("many", 0, "list", 1, 1): "list =",
    ("many", 0, "list", 2): "{ p",
    ("many", 0, "list", 2, "q", 0): "{ p",
    ("many", 1, "n"): "n = 2",
    ("many", 1, "inner", "deep"): "deep",
    ("many", 1, "more", 1, "k"): "k = 2",
}


@pytest.mark.parametrize("path", EXPECTED)
def test_every_table_key_and_item_is_found_on_its_line(path):
    tomllib.loads(TEXT)
    assert TEXT.split("\n")[line_index(TEXT)[path] - 1].lstrip().startswith(EXPECTED[path])


def test_what_stands_inside_a_text_or_a_comment_is_neither_table_nor_key():
    index = line_index(TEXT)
    assert not {("b",), ("c",), ("d",), ("e",), ("b", "y")} & set(index)


def test_characters_that_only_some_programs_take_for_line_ends_do_not_shift_the_lines():
    text = 'a = "\x85\u2028\u2029"\r\nb = 1\n'
    assert line_index(text) == {("a",): 1, ("b",): 2}


@pytest.mark.parametrize(
    "quotes", ['""""a"""""', '"""\\""""', "''''a'''''", '""', "''", '"\\\\"', '"""a\\\\"""']
)
def test_a_text_ends_where_toml_says_it_ends(quotes):
    text = f"a = {quotes}\nb = 1\n"
    tomllib.loads(text)
    assert line_index(text) == {("a",): 1, ("b",): 2}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "# only\n",
        "=",
        "]",
        "[",
        "[[",
        "[]",
        "a",
        "a =",
        "a = [",
        "a = {",
        "a = {b",
        "a = {b = ",
        "a = [{]",
        'a = "',
        "a.",
        "a = [}",
        "é = 1",
    ],
)
def test_text_that_is_no_toml_ends_too(text):
    assert all(line >= 1 for line in line_index(text).values())


def test_a_text_of_the_largest_size_is_scanned():
    text = 'a = """' + "\\\\x\n" * 60_000 + '"""\nb = 1\n'
    assert line_index(text)["b",] == 60_002
