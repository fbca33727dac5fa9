"""What stands beside a model of a test."""

from securefl.learning.artefact import ModelFacts

DETAILS = ModelFacts(
    title="A small study",
    study_digest="a" * 64,
    intended_use="Tests only.",
    licence="CC-BY-4.0",
    owner="The hospitals",
    privacy="Epsilon 1 for each patient.",
    figures={"AUC": "0.98 (95 % interval 0.95 to 1)"},
    participants=("SVI", "STMW"),
)
