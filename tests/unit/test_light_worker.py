"""The worker of tests about messages and losses: the real one, as where torch is not installed."""

import sys

import light_worker
import pytest
from conftest import make_study

from securefl.learning.exact_factors import ExactFactors
from securefl.learning.families import layers
from securefl.learning.models import family_of
from securefl.learning.tasks import task_of
from securefl.node import worker
from securefl.study.parse import parse_study
from securefl.study.training import training_of


def test_it_trains_without_importing_torch(monkeypatch):
    """Importing torch takes more processor time than all else that such a worker does."""
    text = make_study(5)[0]
    study = parse_study(text)
    monkeypatch.setitem(sys.modules, "securefl.learning.dpsgd", None)  # what imports torch
    monkeypatch.setattr(layers, "has_packages", layers.has_packages)  # put back afterwards
    with pytest.raises(ImportError):
        worker._open_libraries(text)
    light_worker._import_libraries()
    worker._open_libraries(text)
    family = family_of(training_of(study).model, study.data)
    assert isinstance(family.gradients(task_of(study.data)), ExactFactors)
