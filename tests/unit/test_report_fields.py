"""Bits and bound for a study, from its public constants: what is advised is accepted, and one more is not."""

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
    assert "The least that takes them all is 16 bits" in fields_words(study, fields)[-1]
    bound = fields.advised.bound
    best = parse_study(make_study(5, ("bound = 20000\nmin", f"bound = {bound}\nmin"))[0])
    assert "This study has it" in fields_words(best, plan_fields(best))[-1]


def test_where_no_width_takes_them_all_the_mend_is_named():
    study = protocol(('normaliser = "200"', 'normaliser = "20000000"'))
    fields = plan_fields(study)
    assert fields.advised is None
    assert "a smaller privacy.grid makes room" in fields_words(study, fields)[-1]
