from decimal import Decimal
from fractions import Fraction

import pytest
from conftest import make_study, protocol_text
from pydantic import ValidationError

from securefl.study.counts import evaluation_of
from securefl.study.parse import parse_protocol, parse_study
from securefl.study.training import training_of

STUDY = parse_study(make_study()[0])


def test_numbers_are_exact():
    assert training_of(STUDY).noise_multiplier == Decimal("2.14")
    assert training_of(STUDY).sample_rate == Fraction(1, 5)
    assert STUDY.participants[0].weight == Fraction(1, 5)
    assert evaluation_of(STUDY).edges == (Decimal("0.1"), Decimal("0.3"), Decimal("0.5"))


def test_a_study_cannot_be_changed_once_read():
    with pytest.raises(ValidationError):
        training_of(STUDY).epsilon = Decimal(9)
    with pytest.raises(ValidationError):
        STUDY.participants = ()


def test_the_cohort_is_the_sorted_site_names():
    assert STUDY.cohort == tuple(sorted(STUDY.cohort)) == ("STMW", "SVHC", "SVHD", "SVI", "other")


def test_a_participant_is_found_by_its_site_and_another_name_is_a_key_error():
    assert STUDY.participant("SVI").name == "SVI"
    with pytest.raises(KeyError, match="Researcher"):
        STUDY.participant("Researcher")


def test_a_histogram_has_one_bin_more_than_inner_edges():
    assert evaluation_of(STUDY).bins == 4


def test_columns_are_of_three_kinds_with_their_defaults():
    age, tsh, sex, sick = STUDY.data.columns
    assert (age.kind, age.transform, age.missing, age.unit) == (
        "numeric",
        "linear",
        "refuse",
        "years",
    )
    assert (tsh.transform, tsh.missing, tsh.low) == ("log", "flag", Decimal("0.005"))
    assert sex.levels == ("F", "M")
    assert (sick.true, sick.false) == ("t", "f")


def test_a_multilayer_perceptron_names_its_layers():
    protocol = parse_protocol(
        protocol_text(('kind = "logistic-regression"', 'kind = "mlp"\nhidden = [8, 4]'))
    )
    assert training_of(protocol).model.hidden == (8, 4)


LABEL = (
    'kind = "any-of-letters"\npositive = ["E", "F"]\nnegative = ["-", "|", "A", "B", "C", "D", "G",'
    ' "H", "I", "J", "K"]\n'
)


@pytest.mark.parametrize(
    ("kind", "positive", "negative"),
    [("equals", '["sick", "very sick"]', '["well"]'), ("any-of-letters", '["K"]', '["-"]')],
)
def test_a_label_of_a_text_declares_both_outcomes(kind, positive, negative):
    protocol = parse_protocol(
        protocol_text((LABEL, f'kind = "{kind}"\npositive = {positive}\nnegative = {negative}\n'))
    )
    assert protocol.data.label.kind == kind
    assert protocol.data.label.columns == ("target",)


@pytest.mark.parametrize("kind", ["at-least", "above", "at-most", "below"])
def test_a_label_of_a_number_declares_threshold_and_range(kind):
    protocol = parse_protocol(
        protocol_text(
            (
                LABEL,
                f'kind = "{kind}"\nvalue = "6.5"\nlow = "3"\nhigh = "20"\nmissing_codes = ["-9"]\n',
            )
        )
    )
    label = protocol.data.label
    assert (label.kind, label.value, label.low, label.high, label.missing_codes) == (
        kind,
        Decimal("6.5"),
        3,
        20,
        ("-9",),
    )


@pytest.mark.parametrize("kind", ["any-of", "all-of"])
def test_a_label_can_be_made_of_two_columns(kind):
    conditions = (
        '{ column = "died", kind = "equals", positive = ["yes"], negative = ["no"] },'
        '{ column = "lactate", kind = "at-least", value = "4", low = "0", high = "30" },'
    )
    label = parse_protocol(
        protocol_text(
            (f'column = "target"\n{LABEL}', f'kind = "{kind}"\nconditions = [{conditions}]\n')
        )
    ).data.label
    assert (label.kind, label.columns, len(label.parts)) == (kind, ("died", "lactate"), 2)


def test_missing_codes_and_clipping_stand_in_the_column():
    high, levels, false = 'high = "600"', 'levels = ["F", "M"]', 'false = "f"'
    age, tsh, sex, sick = parse_protocol(
        protocol_text(
            (high, f'{high}, outside = "clip", missing_codes = ["0", "-9", "k.A."]'),
            (levels, 'levels = ["None", "NA"], missing_codes = ["9"]'),
            (false, f'{false}, missing_codes = ["u"]'),
        )
    ).data.columns
    assert (age.outside, age.missing_codes) == ("set-aside", ())
    assert (tsh.outside, tsh.missing_codes) == ("clip", ("0", "-9", "k.A."))
    assert (sex.levels, sex.missing_codes, sick.missing_codes) == (("None", "NA"), ("9",), ("u",))


@pytest.mark.parametrize("number", ["0", "-0", "12", "0.8", "1e-5", "1e10", "-3.25e2"])
def test_a_decimal_is_written_in_one_of_the_usual_ways(number):
    protocol = parse_protocol(protocol_text(('minimum = "0.5"', f'minimum = "{number}"')))
    assert protocol.quality.minimum == Decimal(number)


def test_values_that_are_exact_already_are_taken_as_they_are():
    again = type(STUDY).model_validate(
        {"schema": STUDY.schema_, **{k: v for k, v in STUDY if k != "schema_"}}
    )
    assert again == STUDY
    assert type(STUDY.privacy).model_validate(dict(STUDY.privacy)) == STUDY.privacy
    assert type(STUDY.data).model_validate(dict(STUDY.data)) == STUDY.data
