"""Recipients are parties of the study and nothing else; promises stand in notes."""

import pytest
from conftest import make_study, protocol_text

from securefl.errors import StudyError
from securefl.study.parse import parse_protocol, parse_study
from securefl.study.recipients import recipients

FIELD = 'recipients = ["participants"]'


def named(*words):
    listed = ", ".join(f'"{word}"' for word in words)
    return parse_study(make_study(5, (FIELD, f"recipients = [{listed}]"))[0])


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("participants",), ("STMW", "SVHC", "SVHD", "SVI", "other")),
        (("SVI", "other"), ("SVI", "other")),
        (
            ("participants", "SVI", "aggregator"),
            ("Aggregator", "STMW", "SVHC", "SVHD", "SVI", "other"),
        ),
        (("Aggregator", "coordinator", "Researcher"), ("Aggregator",)),
        ((), ()),
    ],
)
def test_words_for_roles_and_names_are_the_parties_that_get_the_model(words, found):
    assert recipients(named(*words)) == found


def test_a_stranger_or_a_text_is_refused_with_its_line():
    with pytest.raises(StudyError, match=r'line \d+.*"Elsewhere" is no party of this study'):
        named("participants", "Elsewhere")
    with pytest.raises(StudyError, match=r'line \d+.*"the hospitals" is no party.*outputs\.notes'):
        parse_protocol(protocol_text((FIELD, 'recipients = ["the hospitals"]')))
    with pytest.raises(StudyError, match=r"line \d+.*stands there twice"):
        named("SVI", "SVI")


def test_what_is_only_a_promise_goes_into_notes():
    assert parse_protocol(protocol_text()).outputs.notes == ()
    said = parse_protocol(
        protocol_text((FIELD, f'{FIELD}\nnotes = ["a paper, all hospitals as authors"]'))
    )
    assert said.outputs.notes == ("a paper, all hospitals as authors",)
