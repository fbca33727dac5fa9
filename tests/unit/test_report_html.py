import re

import pytest

from securefl.report import page as page_module
from securefl.report.charts import Segment, Sent, Spent, budget_bar, releases, spending
from securefl.report.html import html_page
from securefl.report.markup import element, escaped, joined
from securefl.report.page import (
    Bar,
    Block,
    Code,
    Command,
    Details,
    Gap,
    Glossary,
    Group,
    Key,
    Lines,
    Link,
    Moment,
    Notice,
    Outside,
    Page,
    Paragraph,
    Picture,
    Quoted,
    Records,
    RowGroup,
    Section,
    Span,
    State,
    Table,
    Tone,
    bullets,
    facts,
    page,
)


def numbers(markup, name):
    return [float(v) for v in re.findall(rf' {name}="([^"]+)"', markup)]


def drawn(*parts):
    """The body of a page with these parts."""
    return html_page(page("t", *parts)).partition("<main>")[2].partition("</main>")[0]


EVIL = "<script>&\"'"
SAFE = "&lt;script&gt;&amp;&quot;&#x27;"


def test_a_string_is_escaped_wherever_it_enters():
    assert escaped(EVIL) == SAFE
    assert element("p", EVIL) == f"<p>{SAFE}</p>"
    assert element("i", title=EVIL) == f'<i title="{SAFE}"></i>'
    assert joined(EVIL) == SAFE
    assert f"<bdi>{SAFE}</bdi>" in drawn(Outside(EVIL))
    groups = (RowGroup(EVIL, ((EVIL,),)),)
    assert drawn(Table((EVIL,), groups=groups, caption=EVIL)).count(SAFE) == 5
    assert html_page(Page(EVIL, ())).count(SAFE) == 2


HOSTILE = [
    EVIL,
    Span(EVIL, Tone.BAD),
    Code(EVIL),
    State(EVIL, Tone.GOOD),
    Link(EVIL, anchor=EVIL),
    Moment(EVIL),
    Lines((EVIL,)),
    bullets([EVIL]),
    Quoted(EVIL),
    Quoted(EVIL, fill=False),
    facts([(EVIL, EVIL), (EVIL, Quoted(EVIL))]),
    Records((EVIL,), ((EVIL,),)),
    Picture(EVIL, (), EVIL, (Key("tone0", EVIL),)),
    Command(EVIL, EVIL),
    Notice(EVIL, (Paragraph(EVIL),), Tone.BAD, fault=EVIL),
    Details(EVIL, (Paragraph(EVIL),)),
    Glossary(((EVIL, EVIL),)),
    Section(EVIL, (Paragraph(EVIL),), anchor=EVIL),
]


@pytest.mark.parametrize("part", HOSTILE, ids=lambda part: type(part).__name__)
def test_no_kind_of_part_lets_markup_through(part):
    text = drawn(part)
    assert "&lt;" in text
    assert "<script" not in text
    assert SAFE in text or SAFE[:10] in text


def test_every_kind_of_part_is_among_the_hostile_ones():
    kinds = {
        kind
        for kind in vars(page_module).values()
        if isinstance(kind, type) and issubclass(kind, Block | Span)
    }
    harmless = {Block, Gap, Bar, Group, Paragraph, Span, Outside, Table}
    assert kinds - harmless == {type(part) for part in HOSTILE} - {str, Span}


def test_markup_is_not_escaped_twice():
    assert element("b", element("i", "&")) == "<b><i>&amp;</i></b>"
    assert "&amp;amp;" not in drawn("&")


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
    rows = (("x",),) * 8
    assert 'class="scroll short"' in drawn(Table(("h",), rows, caption="t"))
    more = Table(("h",), rows, caption="t", groups=(RowGroup("g", rows),))
    assert 'class="scroll"' in drawn(more)


def test_a_kind_of_block_that_no_template_knows_is_refused():
    class Strange(Block):
        pass

    with pytest.raises(TypeError, match="Strange has no shape in HTML"):
        drawn(Strange())


def test_the_bar_has_a_piece_for_each_study_and_never_overflows():
    bar = budget_bar([Segment(str(i), 0.21) for i in range(1, 6)], "words").svg
    used = re.findall(r'<rect x="([^"]+)" y="[^"]+" width="([^"]+)" height="34" class="used', bar)
    assert len(used) == 5
    assert all(float(x) + float(width) <= 719.1 for x, width in used)
    assert "<title>words</title>" in bar
    assert re.findall(r'class="inside">(\d)<', bar) == ["1", "2", "3", "4", "5"]


def test_a_number_that_does_not_fit_its_piece_is_left_out():
    assert "inside" not in budget_bar([Segment("12", 0.01)], "").svg


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
    picture = spending([Spent("2026-01-05T09:00:00Z", 0, 1)], until, "words").svg
    assert re.findall(r">([^<>%]*\d[^<>%]*)</text>", picture) == ticks


def test_spending_is_a_staircase_within_the_picture():
    steps = [
        Spent("2026-01-05T09:00:00Z", 0, 0.5),
        Spent("2026-01-10T09:00:00Z", 0.25, 0.5),
        Spent("2026-01-20T09:00:00Z", 0.1, 1),
    ]
    picture = spending(steps, "2026-02-05T09:00:00Z", "words").svg
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
    ).svg
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
    picture = spending(steps, "2026-02-05T09:00:00Z", "words").svg
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
    ).svg
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
    keys = (Key("area", "charged"), Key("granted", "granted"))
    assert re.findall(
        r'class="(area|granted)"[^>]*></(?:rect|line)></svg>\n?([^<]+)<',
        drawn(Picture("", (), legend=keys)),
    ) == [
        ("area", "charged"),
        ("granted", "granted"),
    ]
