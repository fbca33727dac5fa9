"""Bits and bound for a study, from its public constants: what is advised is accepted, and one more is not."""

from pathlib import Path

import pytest
from conftest import make_study, protocol_text

from securefl.errors import StudyError
from securefl.privacy.accounting import PldAccountant
from securefl.report.fields import fields_words, plan_fields
from securefl.study.consistency import check_consistency, largest_bound
from securefl.study.parse import parse_protocol, parse_study


def protocol(*edits):
    return parse_protocol(protocol_text(*edits))


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("bits", [16, 20])
def test_the_largest_bound_is_accepted_and_one_more_is_not(bits, steps):
    local = () if steps == 1 else (("local_steps = 1", "local_steps = 4"), ("rounds = 4", "rounds = 1"))
    bound = largest_bound(protocol(*local), bits)

    def check(value):
        check_consistency(protocol(*local, ("bits = 16", f"bits = {bits}"), ("bound = 20000\nmin", f"bound = {value}\nmin")), PldAccountant())

    check(bound)
    with pytest.raises(StudyError, match="too small by"):
        check(bound + 1)


def test_where_the_noise_alone_does_not_fit_there_is_no_bound():
    assert largest_bound(protocol(), 8) == 0
    assert largest_bound(protocol(('epsilon = "1"\nbound = 20000', 'epsilon = "1"\nbound = 2000000')), 16) == 0  # the histogram does not


def test_the_least_width_that_takes_every_planned_patient_is_advised():
    study = parse_study(make_study(5)[0])
    fields = plan_fields(study)
    assert fields.needed == 40
    assert [w.bits for w in fields.widths] == [8, 12, 16, 20, 24]
    assert fields.advised.bits == next(w.bits for w in fields.widths if w.patients >= 40) == 16
    assert fields_words(study, fields)[-1].endswith("40 patients at the largest hospital: enough.")


def test_a_bound_that_planned_patients_would_meet_is_called_too_small_until_it_is_the_advised_one():
    more = ('normaliser = "200"', 'normaliser = "3000"')
    small = parse_study(make_study(5, more)[0])
    fields = plan_fields(small)
    words = fields_words(small, fields)
    assert "too small, 416 of the 600 patients planned in a step would meet it" in words[1]
    assert f"The least that takes them all is {fields.advised.bits} bits with a bound of {fields.advised.bound:,}" in words[-1]
    mended = parse_study(make_study(5, more, ("bits = 16", f"bits = {fields.advised.bits}"), ("bound = 20000\nmin", f"bound = {fields.advised.bound}\nmin"))[0])
    assert fields_words(mended, plan_fields(mended))[-1].endswith("enough.")


@pytest.mark.parametrize("name", ["first-study", "thyroid"])
def test_the_studies_that_we_publish_read_as_good(name):
    study = parse_protocol((Path(__file__).parents[2] / "protocols/studies" / name / "protocol.toml").read_bytes())
    words = fields_words(study, plan_fields(study))
    assert words[-1].endswith("enough.")
    assert not any("too small" in w or "The least" in w for w in words)


def test_a_bound_that_does_not_fit_beside_the_noise_is_not_called_enough():
    study = protocol(("bits = 16", "bits = 12"), ("bound = 20000\nmin", "bound = 2000000\nmin"))
    assert "does not fit into 12 bits beside the noise" in fields_words(study, plan_fields(study))[1]


def test_where_no_width_takes_them_all_the_mend_is_named():
    study = protocol(('normaliser = "200"', 'normaliser = "20000000"'))
    fields = plan_fields(study)
    assert fields.advised is None
    assert "a smaller privacy.grid makes room" in fields_words(study, fields)[-1]
