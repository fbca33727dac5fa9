from decimal import Decimal
from fractions import Fraction

import pytest
from conftest import make_study, protocol_text
from pydantic import ValidationError

from securefl.study import parse_protocol, parse_study

STUDY = parse_study(make_study()[0])


def test_numbers_are_exact():
    assert STUDY.privacy.noise_multiplier == Decimal("2.14")
    assert STUDY.privacy.sample_rate == Fraction(1, 5)
    assert STUDY.participants[0].weight == Fraction(1, 5)
    assert STUDY.evaluation.edges == (Decimal("0.1"), Decimal("0.3"), Decimal("0.5"))


def test_a_study_cannot_be_changed_once_read():
    with pytest.raises(ValidationError):
        STUDY.privacy.epsilon = Decimal(9)
    with pytest.raises(ValidationError):
        STUDY.participants = ()


def test_the_cohort_is_the_sorted_site_names():
    assert STUDY.cohort == tuple(sorted(STUDY.cohort)) == ("STMW", "SVHC", "SVHD", "SVI", "other")


def test_a_participant_is_found_by_its_site_and_another_name_is_a_key_error():
    assert STUDY.participant("SVI").name == "SVI"
    with pytest.raises(KeyError, match="Researcher"):
        STUDY.participant("Researcher")


def test_a_histogram_has_one_bin_more_than_inner_edges():
    assert STUDY.evaluation.bins == 4


def test_columns_are_of_three_kinds_with_their_defaults():
    age, tsh, sex, sick = STUDY.data.columns
    assert (age.kind, age.transform, age.missing, age.unit) == ("numeric", "linear", "refuse", "years")
    assert (tsh.transform, tsh.missing, tsh.low) == ("log", "flag", Decimal("0.005"))
    assert sex.levels == ("F", "M")
    assert (sick.true, sick.false) == ("t", "f")


def test_a_multilayer_perceptron_names_its_layers():
    protocol = parse_protocol(protocol_text(('kind = "logistic-regression"', 'kind = "mlp"\nhidden = [8, 4]')))
    assert protocol.model.hidden == (8, 4)


@pytest.mark.parametrize(("kind", "positive"), [("threshold", '["1.5"]'), ("equals", '["sick", "very sick"]'), ("any-of-letters", '["K"]')])
def test_a_label_is_positive_in_one_of_three_ways(kind, positive):
    protocol = parse_protocol(protocol_text(('kind = "any-of-letters"', f'kind = "{kind}"'), ('positive = ["E", "F"]', f"positive = {positive}")))
    assert protocol.data.label.kind == kind


@pytest.mark.parametrize("number", ["0", "-0", "12", "0.8", "1e-5", "1e10", "-3.25e2"])
def test_a_decimal_is_written_in_one_of_the_usual_ways(number):
    protocol = parse_protocol(protocol_text(('minimum = "0.5"', f'minimum = "{number}"')))
    assert protocol.quality.minimum == Decimal(number)


def test_values_that_are_exact_already_are_taken_as_they_are():
    again = type(STUDY).model_validate({"schema": STUDY.schema_, **{k: v for k, v in STUDY if k != "schema_"}})
    assert again == STUDY
    assert type(STUDY.privacy).model_validate(dict(STUDY.privacy)) == STUDY.privacy
    assert type(STUDY.data).model_validate(dict(STUDY.data)) == STUDY.data
