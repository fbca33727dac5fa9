from datetime import UTC, datetime

import pytest
from conftest import PROTOCOL, fixed_identity, make_study, party, protocol_text

from securefl.errors import StudyError
from securefl.learning.models import family_of, weights_sha256
from securefl.study.parse import load_raw, parse_study
from securefl.study.seal import dump_toml, seal_study
from securefl.study.sealed import UnsealedStudy
from securefl.study.training import training_of

HOSPITALS = [
    party(fixed_identity(n, "hospital")) | {"weight": "1/2", "weight_source": "equal"}
    for n in ("B", "A")
]


def sealed(text=PROTOCOL, **changes):
    arguments = {
        "coordinator": party(fixed_identity("R", "researcher")),
        "aggregator": party(fixed_identity("G", "aggregator")),
        "participants": HOSPITALS,
        "software": {"securefl": "0.1.0", "lock_sha256": "0" * 64},
    }
    return seal_study(UnsealedStudy.read(text), **(arguments | changes)).text


def test_a_sealed_study_holds_the_protocol_unchanged_and_what_was_added():
    study, protocol = load_raw(sealed()), load_raw(PROTOCOL)
    model = study["stages"][0]["model"]
    first = family_of(
        training_of(UnsealedStudy.read(PROTOCOL).study).model,
        UnsealedStudy.read(PROTOCOL).study.data,
    )
    assert model.pop("initial_sha256") == weights_sha256(first.initial_weights("seed 1"))
    assert {k: study[k] for k in protocol if k != "schema"} == {
        k: v for k, v in protocol.items() if k != "schema"
    }
    assert set(study) - set(protocol) == {"coordinator", "aggregator", "participants", "software"}


def test_participants_are_sorted_so_that_their_order_makes_no_two_studies():
    assert sealed() == sealed(participants=HOSPITALS[::-1])
    assert parse_study(sealed()).cohort == ("A", "B")


def test_a_study_id_of_its_own_lets_one_protocol_serve_twice():
    assert parse_study(sealed(study_id="second")).study.id == "second"
    assert parse_study(sealed()).study.id == "small"


def test_sealing_changes_nothing_that_was_handed_over():
    before = [dict(h) for h in HOSPITALS]
    sealed()
    assert before == HOSPITALS


@pytest.mark.parametrize(
    "changes",
    [
        {"participants": HOSPITALS[:1]},
        {"participants": []},
        {"participants": [HOSPITALS[0], {"weight": "1/2"}]},
        {"participants": [HOSPITALS[0], HOSPITALS[0]]},
        {"coordinator": HOSPITALS[0]},
        {"software": {}},
        {"study_id": "a b"},
        {"software": {"securefl": "0\n[x]", "lock_sha256": "0" * 64}},
        {"coordinator": party(fixed_identity("R", "researcher")) | {"a\n[secagg]\nx": "1"}},
    ],
)
def test_an_invalid_study_is_never_sealed(changes):
    with pytest.raises(StudyError):
        sealed(**changes)


def test_an_invalid_protocol_is_never_sealed():
    with pytest.raises(StudyError):
        sealed(protocol_text(("bits = 16", "bits = 0")))
    with pytest.raises(StudyError):
        sealed(make_study()[0])


def test_every_kind_of_value_comes_back():
    raw = {
        "a": 'quote " backslash \\ tab \t line \n',
        "b": -3,
        "c": True,
        "d": False,
        "e": datetime(2026, 1, 1, tzinfo=UTC),
        "f": ["x", [1, 2]],
        "g": {"h": {"i": "deep"}, "j": [{"k": 1}, {"k": 2, "l": {"m": "n"}}]},
        "empty": [],
        "o": {},
    }
    assert load_raw(dump_toml(raw)) == raw


def test_keys_that_need_quotes_come_back_too():
    raw = {"with space": 1, "": 2, 'quo"te': {"a.b": 3}, "\u001b": 4}
    assert load_raw(dump_toml(raw)) == raw


def test_a_value_that_no_study_holds_is_a_programming_error():
    with pytest.raises(TypeError, match="no float"):
        dump_toml({"a": 0.5})
