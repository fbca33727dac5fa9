"""The list of stages in a study file: which order is refused, and what a file of version 1 is told."""

from decimal import Decimal
from fractions import Fraction

import pytest
from conftest import PROTOCOL, make_study, protocol_text
from small_study import COUNT, COUNTED

from securefl.errors import StudyError
from securefl.learning.stages.programme import Programme, charges_of
from securefl.privacy.mechanisms import Gaussian, SubsampledGaussian
from securefl.study.parse import parse_any, parse_data, parse_protocol, parse_study
from securefl.study.stages import STAGES

TRAIN = PROTOCOL[PROTOCOL.index("[[stages]]") : PROTOCOL.rindex("[[stages]]")]
EVALUATE = PROTOCOL[PROTOCOL.rindex("[[stages]]") : PROTOCOL.index("[secagg]")]
COUNT_TABLE = COUNT[: COUNT.rindex("[[stages]]")]
VERSION_1 = """schema = "securefl-protocol/1"
[model]
kind = "logistic-regression"
[privacy]
unit = "patient"
epsilon = "1"
noise_multiplier = "2.14"
[secagg]
bits = 16
min_contributors = 5
[training]
algorithm = "fedavg"
[preparation]
minimum = 60
[evaluation]
metric = "auc"
"""


def with_stages(*tables):
    return protocol_text((TRAIN + EVALUATE, "".join(tables)))


def fault(text, parse=parse_protocol):
    with pytest.raises(StudyError) as refused:
        parse(text)
    return refused.value.what


def test_a_file_of_version_1_is_told_which_lines_become_what():
    for parse in (parse_protocol, parse_any, parse_data):
        told = [line.strip() for line in fault(VERSION_1, parse).splitlines()[1:]]
        assert told == [
            'line 1: schema: write "securefl-protocol/2"',
            'line 13: preparation: becomes [[stages]] with kind = "count"',
            'line 11: training: becomes [[stages]] with kind = "train"',
            "line 12: training.algorithm: is called strategy",
            "line 6: privacy.epsilon: moves into the stage that trains",
            "line 7: privacy.noise_multiplier: moves into the stage that trains",
            "line 9: secagg.bits: moves into the stage that trains",
            "line 2: model: becomes [stages.model], below the stage that trains",
            'line 15: evaluation: becomes [[stages]] with kind = "evaluate"',
        ]


def test_a_sealed_study_of_version_1_is_made_again():
    for parse in (parse_study, parse_any):
        told = fault('schema = "securefl-study/1"\n' + VERSION_1.partition("\n")[2], parse)
        assert "a sealed study of version 1" in told


@pytest.mark.parametrize(
    ("tables", "kinds"),
    [
        ((TRAIN, EVALUATE), "train evaluate"),
        ((COUNT_TABLE, TRAIN, EVALUATE), "count train evaluate"),
        ((TRAIN, COUNT_TABLE, EVALUATE, EVALUATE), "train count evaluate evaluate"),
        (
            (COUNT_TABLE, COUNT_TABLE, TRAIN, EVALUATE, COUNT_TABLE),
            "count count train evaluate count",
        ),
    ],
)
def test_stages_stand_in_the_order_of_the_file(tables, kinds):
    study = parse_protocol(with_stages(*tables))
    assert " ".join(section.kind for section in study.stages) == kinds
    programme = Programme(study)
    assert programme.last_round == 3 + len(tables)  # four rounds of training
    assert [programme.at(n).stage.place for n in range(1, programme.last_round + 1)] == sorted(
        [*range(len(tables)), *3 * [kinds.split().index("train")]]
    )
    for number in (0, programme.last_round + 1):
        with pytest.raises(LookupError, match=f"none {number}"):
            programme.at(number)


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        (
            (COUNT_TABLE, EVALUATE),
            'stages.2: judges a model, and no stage makes one; add one, like kind = "train"',
        ),
        ((COUNT_TABLE,), "quality: asks something of a model, and no stage makes one; delete it"),
        ((TRAIN, TRAIN, EVALUATE), "stages.2: a study makes one model; remove this stage"),
        ((EVALUATE, TRAIN, EVALUATE), "stages.1: judges the model before there is one"),
        (
            (TRAIN, COUNT_TABLE),
            'no stage judges the model; add one, like kind = "evaluate"',
        ),
        ((TRAIN, *15 * [COUNT_TABLE], EVALUATE), "stages: .* at most 16"),
        ((), "stages: is missing (add the table [[stages]])"),
        (
            ("[[stages]]\nminimum = 3\n\n", TRAIN, EVALUATE),
            "stages.1.kind: is missing: each stage has a kind",
        ),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_by_name(tables, why):
    told = fault(with_stages(*tables))
    assert all(part in told for part in why.split(" .* "))


def test_faults_of_several_stages_are_told_together_each_with_its_line():
    text = protocol_text(COUNTED, ("minimum = 60", "minimum = -1"), ("rounds = 4", "rounds = 0"))
    lines = text.splitlines()
    told = fault(text)
    assert f"line {lines.index('minimum = -1') + 1}: stages.1.minimum" in told
    assert f"line {lines.index('rounds = 0') + 1}: stages.2.rounds" in told


def test_a_sealed_study_says_what_a_template_leaves_to_its_stages():
    text = make_study()[0]
    model = text[text.index("[stages.model]") :].splitlines()
    digest = next(line for line in model if line.startswith("initial_sha256"))
    assert "stages.1.model: a study needs initial_sha256" in fault(
        text.replace(digest, ""), parse_study
    )


def test_the_known_kinds_are_those_of_the_product():
    assert STAGES.names() == ("count", "evaluate", "statistics", "survival-curve", "train")


def test_charges_are_the_figures_of_the_file():
    """Privacy does not move with the schema: these were the charges in version 1 of the file."""
    charges = charges_of(parse_protocol(protocol_text(COUNTED)))
    assert {c.purpose: (c.mechanism, c.aside) for c in charges} == {
        "preparation": (Gaussian(Decimal("18.54"), 1), False),
        "update": (SubsampledGaussian(Decimal("2.14"), Fraction(1, 5), 4), False),
        "evaluation": (Gaussian(Decimal("3.75"), 1), True),
    }
    sizes = [
        (r.length, r.bound, r.bits)
        for _, r in Programme(parse_protocol(protocol_text(COUNTED))).releases
    ]
    assert sizes == [(2, 20_000, 16), (7, 24301, 16), (8, 20_000, 16)]
