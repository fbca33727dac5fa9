"""What templates cost is known beforehand, and is what the accountant gives."""

from decimal import Decimal
from pathlib import Path

import pytest

from securefl.learning.stages.programme import charges_of
from securefl.privacy import accounting
from securefl.privacy.accounting import PLD_INTERVAL, PldAccountant, pld_epsilon
from securefl.privacy.planning import study_epsilon
from securefl.privacy.template_epsilons import TEMPLATE_EPSILONS
from securefl.report.explain_study import worst_epsilon
from securefl.study.consistency import check_consistency
from securefl.study.parse import parse_protocol

TEMPLATES = sorted(Path(__file__).parents[2].glob("protocols/studies/*/protocol.toml"))


@pytest.mark.parametrize(
    ("released", "epsilon"), TEMPLATE_EPSILONS.items(), ids=lambda value: f"{value}"[:60]
)
def test_every_known_epsilon_is_the_accountants(released, epsilon):
    mechanisms, delta = released
    assert accounting._grouped(mechanisms) == mechanisms  # else it would never be found
    assert accounting._computed_epsilon(mechanisms, delta, PLD_INTERVAL) == epsilon


@pytest.fixture
def computed(monkeypatch):
    """What the accountant was asked to work out; it gives a figure that no template has."""
    asked = []

    def compute(grouped, *_):
        if not grouped:
            return Decimal(0)
        asked.append(grouped)
        return Decimal(77)

    monkeypatch.setattr(accounting, "_computed_epsilon", compute)
    return asked


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.parent.name)
def test_a_template_is_checked_priced_and_told_without_the_accountant(file, computed):
    study = parse_protocol(file.read_bytes())
    check_consistency(study, PldAccountant(), file.read_text())
    privacy = study.privacy
    priced = study_epsilon(
        charges_of(study), privacy.max_attempts, privacy.delta, disjoint=bool(study.data.holdout)
    )
    assert 0 < priced <= worst_epsilon(study) < 77
    assert computed == []


def test_other_figures_are_worked_out(computed):
    """The control: the least change of a template's releases, delta or interval."""
    for mechanisms, delta in TEMPLATE_EPSILONS:
        (one,) = mechanisms
        noisier = one.with_noise(one.noise_multiplier + Decimal("0.01"))
        for changed in (noisier, one.with_count(one.count + 1)):
            assert pld_epsilon([changed], delta) == 77
        assert pld_epsilon(mechanisms, delta * 2) == 77
        assert pld_epsilon(mechanisms, delta, interval=1e-3) == 77
        assert pld_epsilon([*mechanisms, noisier], delta) == 77
        assert pld_epsilon(mechanisms, delta) < 77
    assert len(computed) == 5 * len(TEMPLATE_EPSILONS)
