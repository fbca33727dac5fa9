"""What a plan says of rounding and saturation, from the study's public constants."""

from pathlib import Path

import pytest
from conftest import make_study, protocol_text

from securefl.report.fields import chance_words, fields_words, plan_fields, variance_words
from securefl.study.parse import parse_protocol, parse_study
from securefl.study.wire import wire_of

MANY = ('normaliser = "200"', 'normaliser = "20000"')


def protocol(*edits):
    return parse_protocol(protocol_text(*edits))


def words(study):
    return fields_words(study, plan_fields(study))


def test_sixteen_bits_cost_nothing_and_take_everybody():
    study = parse_study(make_study(5)[0])
    fields = plan_fields(study)
    assert (fields.planned, fields.own.bits, fields.own.bound) == (40, 16, 40)
    assert [w.bits for w in fields.widths] == [6, 8, 12, 16, 20, 24]
    assert fields.own.added_variance == wire_of(study).added_variance
    said = words(study)
    assert (
        "rounds its sum by lot to fields of 16 bits. That costs no privacy; it adds less than 0.001"
        " % to the noise's variance." in said[0]
    )
    assert (
        "A field shows 40 patients who pull one way in a step (the usual bound) and 6.5 standard"
        " deviations of noise" in said[1]
    )
    assert said[1].endswith("is cut with a chance of less than 1 in 1,000,000,000.")
    assert (
        said[-1]
        == "A step is planned to draw 40 patients at the largest hospital: all of them may pull one"
        " way."
    )


@pytest.mark.parametrize("bits", [6, 8])
def test_few_bits_say_what_rounding_adds_and_whom_they_cut(bits):
    study = protocol(MANY, ("bits = 16", f"bits = {bits}"))
    said = words(study)
    assert (
        f"it adds {variance_words(wire_of(study).added_variance)} to the noise's variance"
        in said[0]
    )
    assert (
        "A step is planned to draw 4,000 patients at the largest hospital. If more than" in said[2]
    )


def test_a_stated_bound_is_named_and_one_that_costs_much_is_said_to():
    study = protocol(MANY, ("bits = 16", "bits = 6\nbound = 4000"))
    said = words(study)
    assert "(as bound says)" in said[1]
    assert said[-1].startswith("That is much: more bits, or a smaller bound")


def test_more_bits_add_less_and_send_more():
    widths = plan_fields(
        protocol(MANY, ('kind = "logistic-regression"', 'kind = "mlp"\nhidden = [4000]'))
    ).widths
    assert [w.added_variance for w in widths] == sorted(
        (w.added_variance for w in widths), reverse=True
    )
    assert [w.bytes_per_parameter for w in widths] == sorted(w.bytes_per_parameter for w in widths)
    assert widths[0].bytes_per_parameter < widths[2].bytes_per_parameter


@pytest.mark.parametrize("name", ["first-study", "thyroid"])
def test_the_studies_that_we_publish_read_as_good(name):
    study = parse_protocol(
        (Path(__file__).parents[2] / "protocols/studies" / name / "protocol.toml").read_bytes()
    )
    assert words(study)[-1].endswith("all of them may pull one way.")


def test_small_figures_are_said_to_be_small():
    assert variance_words(0.0) == "less than 0.001 %"
    assert variance_words(0.0123) == "1.2 %"
    assert chance_words(0.0) == "less than 1 in 1,000,000,000"
    assert chance_words(1e-6) == "1 in 1,000,000"
