from securefl.errors import BudgetError, MessageError, SecureFLError
from securefl.report.errors import error_page
from securefl.report.terminal import plain_text


def test_an_error_says_what_whose_and_next():
    out = plain_text(
        error_page(
            BudgetError(
                "The study asks for 32 % of the budget; 6 % is left.",
                next_step="At most 3 training steps would fit.",
            )
        )
    )
    for part in (
        "What",
        "32 % of the budget",
        "Who can mend it",
        "the data owner",
        "Next",
        "At most 3 training steps",
    ):
        assert part in out
    assert "Traceback" not in out


def test_parts_that_are_empty_are_left_out():
    out = plain_text(error_page(SecureFLError("Something broke.")))
    assert "Who can mend it" not in out
    assert "Next" not in out


def test_an_error_of_several_lines_keeps_them_each_behind_a_bar():
    out = plain_text(error_page(SecureFLError("Wrong:\n  line 3: a\n  line 9: [red]b[/]\n")))
    lines = [line for line in out.splitlines() if "line " in line]
    assert len(lines) == 2
    assert all("│   line" in line for line in lines)
    assert "[red]b[/]" in out


def test_a_hostile_name_cannot_leave_the_frame():
    out = plain_text(
        error_page(MessageError("bad\x1b[2J", whose="x\ny", next_step="[link=http://z]go[/link]")),
        60,
    )
    assert "\x1b" not in out
    assert "[link=http://z]go[/link]" in out
    # open to the right: a border there would have to know how wide each character before it is
    # drawn
    assert all(line[0] in "╭│╰" and len(line) <= 60 for line in out.splitlines())
