import re

import pytest

from securefl.report.html_charts import Segment, Sent, Spent, budget_bar, legend, releases, spending
from securefl.report.html_parts import Html, document, escaped, joined, said, table, tag


def numbers(markup, name):
    return [float(v) for v in re.findall(rf' {name}="([^"]+)"', markup)]


def test_a_string_is_escaped_wherever_it_enters():
    evil = "<script>&\"'"
    safe = "&lt;script&gt;&amp;&quot;&#x27;"
    assert escaped(evil) == safe
    assert tag("p", evil) == f"<p>{safe}</p>\n"
    assert tag("i", title=evil) == f'<i title="{safe}"></i>'
    assert joined(evil) == safe
    assert said(evil) == f"<bdi>{safe}</bdi>"
    assert table(evil, [evil], [[[evil]]], titles=[escaped(evil)]).count(safe) == 5
    assert safe in document(evil, Html(), style="")


def test_markup_is_not_escaped_twice():
    assert tag("b", tag("i", "&")) == "<b><i>&amp;</i></b>"


def test_what_a_screen_obeys_is_spelled_out():
    assert escaped("\u3164\u2800x") == "&lt;U+3164&gt;&lt;U+2800&gt;x"
    assert (
        escaped("a\u202eb\x1b[2J\n\n c")
        == "a&lt;U+202E&gt;b&lt;U+001B&gt;[2J&lt;U+000A&gt;&lt;U+000A&gt; c"
    )
    assert escaped("a    b") == "a b"


def test_per_cent_stays_with_its_number():
    assert escaped("50 % to 98 %") == "50\u00a0% to 98\u00a0%"


def test_a_short_table_is_kept_on_one_sheet():
    rows = [["x"]] * 8
    assert 'class="scroll short"' in table("t", ["h"], [rows])
    assert 'class="scroll"' in table("t", ["h"], [rows, rows])


def test_the_bar_has_a_piece_for_each_study_and_never_overflows():
    bar = budget_bar([Segment(str(i), 0.21) for i in range(1, 6)], "words")
    used = re.findall(r'<rect x="([^"]+)" y="[^"]+" width="([^"]+)" height="34" class="used', bar)
    assert len(used) == 5
    assert all(float(x) + float(width) <= 719.1 for x, width in used)
    assert "<title>words</title>" in bar
    assert re.findall(r'class="inside">(\d)<', bar) == ["1", "2", "3", "4", "5"]


def test_a_number_that_does_not_fit_its_piece_is_left_out():
    assert "inside" not in budget_bar([Segment("12", 0.01)], "")


@pytest.mark.parametrize(
    ("until", "ticks"),
    [
        ("2026-01-05T09:00:00Z", ["09:00", "09:12", "09:24", "09:36", "09:48", "10:00"]),
        (
            "2026-01-07T09:00:00Z",
            [
                "05 Jan 09:00",
                "05 Jan 18:36",
                "06 Jan 04:12",
                "06 Jan 13:48",
                "06 Jan 23:24",
                "07 Jan 09:00",
            ],
        ),
        (
            "2026-12-31T09:00:00Z",
            [
                "05 Jan 2026",
                "18 Mar 2026",
                "29 May 2026",
                "09 Aug 2026",
                "20 Oct 2026",
                "31 Dec 2026",
            ],
        ),
    ],
)
def test_spending_is_drawn_against_time(until, ticks):
    picture = spending([Spent("2026-01-05T09:00:00Z", 0, 1)], until, "words")
    assert re.findall(r">([^<>%]*\d[^<>%]*)</text>", picture) == ticks


def test_spending_is_a_staircase_within_the_picture():
    steps = [
        Spent("2026-01-05T09:00:00Z", 0, 0.5),
        Spent("2026-01-10T09:00:00Z", 0.25, 0.5),
        Spent("2026-01-20T09:00:00Z", 0.1, 1),
    ]
    picture = spending(steps, "2026-02-05T09:00:00Z", "words")
    (path,) = re.findall(r'd="([^"]+)" class="staircase"', picture)
    assert re.findall(r"[A-Z]", path) == list("MHVHVH")
    x = [float(v) for v in re.findall(r"H([\d.]+)", path)]
    assert x == sorted(x)
    assert x[-1] == 706
    (granted,) = re.findall(r'd="([^"]+)" class="granted"', picture)
    assert "V14" in granted  # the whole of today's budget is the upper edge


def test_nothing_is_drawn_after_now():
    picture = spending(
        [Spent("2026-01-05T09:00:00Z", 0, 1), Spent("2026-01-05T09:06:00Z", 0.5, 1)],
        "2026-01-05T09:12:00Z",
        "words",
    )
    for kind in ("staircase", "granted"):
        (path,) = re.findall(rf'd="([^"]+)" class="{kind}"', picture)
        assert float(re.findall(r"H([\d.]+)", path)[-1]) == 178  # a fifth of the hour that is shown
    assert ">now<" in picture


def test_a_grant_above_todays_budget_is_not_cut_off():
    steps = [
        Spent("2026-01-05T09:00:00Z", 0, 2.4),
        Spent("2026-01-10T09:00:00Z", 0.5, 0.5),
        Spent("2026-01-20T09:00:00Z", 0.5, 1),
    ]
    picture = spending(steps, "2026-02-05T09:00:00Z", "words")
    assert re.findall(r">(\d+) %<", picture.replace("\u00a0", " ")) == [
        "0",
        "50",
        "100",
        "150",
        "200",
        "250",
    ]
    (granted,) = re.findall(r'd="([^"]+)" class="granted"', picture)
    first, fallen, again = (float(v) for v in re.findall(r"(?:M[\d.]+ |V)([\d.]+)", granted))
    assert 14 < first < again < fallen < 170


def test_releases_are_bars_of_what_was_reserved():
    picture = releases(
        [
            Sent("1  a", 40, 40, "40 of 40"),
            Sent("2  b", 0, 20, "0 of 20"),
            Sent("3  " + "long" * 30, 5, 20, "5 of 20"),
        ],
        "words",
    )
    left, sent = (
        [float(w) for w in re.findall(rf'width="([^"]+)" height="14" class="{kind}', picture)]
        for kind in ("left frame", "used tone0")
    )
    assert left[0] == sent[0] == pytest.approx(2 * left[1], abs=0.1)
    assert sent[1] == 0
    assert sent[2] == pytest.approx(left[2] / 4, abs=0.1)
    assert "…" in picture
    assert max(numbers(picture, "x")) < 720


def test_a_legend_pairs_each_fill_with_words():
    assert re.findall(
        r'class="(area|granted)"[^>]*></(?:rect|line)></svg>\n([^<]+)<',
        legend([("area", "charged"), ("granted", "granted")]),
    ) == [
        ("area", "charged"),
        ("granted", "granted"),
    ]
