"""What would break the noise's promise is refused with the reason and what to use, not as a
misspelt key.
"""

import pytest
from conftest import protocol_text

from securefl.errors import StudyError
from securefl.privacy.accounting import PldAccountant
from securefl.report.explain_study import privacy_sentences, use_words
from securefl.study.consistency import check_consistency
from securefl.study.parse import parse_protocol
from securefl.study.refusals import refusal, refused_value

RECORD = ('unit = "patient"', 'unit = "record"')


def told(*edits):
    with pytest.raises(StudyError) as caught:
        check_consistency(parse_protocol(protocol_text(*edits)), PldAccountant())
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "why", "instead"),
    [
        ("batch_size = 32", "96 rows from 97", "sample_rate"),
        ("epochs = 10", "96 rows from 97", "steps"),
        ("shuffle = true", "understates epsilon", "Poisson sampling"),
        ("adaptive_clipping = true", "empty batches", "clip_norm"),
        ("target_quantile = 0.5", "empty batches", "clip_norm"),
        ("standardise = true", "many times the clip norm", "low and high"),
        ("class_weights = [1, 2]", "depend on each other", "histogram"),
        ("early_stopping = true", "release without noise", "rounds"),
        ("batch_norm = true", "statistics over the batch", "LayerNorm"),
        ("impute = true", "depend on each other", '"flag"'),
        ("grid = 48", "rounded after the noise", "delete the line"),
        ("seed = 1", "fresh from the operating system", "initial_seed"),
    ],
)
def test_a_dangerous_key_is_refused_with_its_reason(line, why, instead):
    text = told(('clip_norm = "1"', f'clip_norm = "1"\n{line}'))
    assert "refused:" in text
    assert why in text
    assert instead in text


def test_a_dangerous_value_is_refused_with_its_reason():
    text = told(('transform = "log", missing', 'transform = "standardise", missing'))
    assert "many times the clip norm" in text
    text = told(
        ('missing = "flag" },\n  { name = "sex"', 'missing = "median" },\n  { name = "sex"')
    )
    assert "depend on each other" in text


def test_a_misspelt_key_stays_a_misspelt_key():
    assert refusal("gird") is None
    assert refused_value("lgo") is None
    assert refused_value(3) is None
    assert "correct its spelling" in told(('clip_norm = "1"', 'clip_norm = "1"\ngird = 3'))


def test_several_rows_need_the_patient_as_the_unit():
    text = told(RECORD, ("max_rows_per_patient = 1", "max_rows_per_patient = 3"))
    assert "must be 1" in text
    assert 'use unit = "patient"' in text
    for edits in ((RECORD,), (("max_rows_per_patient = 1", "max_rows_per_patient = 3"),)):
        check_consistency(parse_protocol(protocol_text(*edits)), PldAccountant())


def test_the_owner_reads_what_the_unit_is():
    record, several, plain = (
        parse_protocol(protocol_text(*edits))
        for edits in ([RECORD], [("max_rows_per_patient = 1", "max_rows_per_patient = 3")], [])
    )
    assert any("ONE ROW" in s for s in privacy_sentences(record))
    assert not any("ONE ROW" in s for s in privacy_sentences(plain))
    assert "at most 3 rows" in use_words(several)
    assert "Every row is used" in use_words(record)
    assert "at most" not in use_words(plain)


def test_layers_that_mix_records_are_refused_and_none_is_replaced():
    torch = pytest.importorskip("torch")
    from securefl.learning.dpsgd import refuse_mixing_layers

    nn = torch.nn
    for layer in (
        nn.BatchNorm1d(4),
        nn.InstanceNorm1d(4, track_running_stats=True),
        nn.SyncBatchNorm(4),
    ):
        with pytest.raises(StudyError, match="statistics over the batch") as caught:
            refuse_mixing_layers(nn.Sequential(nn.Linear(4, 4), layer))
        assert "LayerNorm" in caught.value.next_step
    refuse_mixing_layers(
        nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.GroupNorm(2, 4), nn.InstanceNorm1d(4))
    )
