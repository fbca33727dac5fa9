"""docs/protocol.md explains every key of the study file: its values, its default, what it means."""

import inspect
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from annotated_types import Ge, Le
from pydantic import BaseModel

from securefl.study import binary_label, cadence, classes_label, columns, schema, words
from securefl.study.counts import EvaluateSection
from securefl.study.looks import LooksSection
from securefl.study.registries import EVALUATIONS, FAMILIES, LABELS, STRATEGIES
from securefl.study.stages import STAGES
from securefl.study.subgroups import Subgroups

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")
#: How the page says that a key has to stand there, and that left out it means nothing.
NEEDED, NOTHING = "needed", "nothing"


def tables():
    """Heading below "Every key" → the classes whose keys its table has."""
    return {
        "Above the tables": [schema.Template, schema.Study],
        "Table study": [schema.About],
        "Table words": [words.Words],
        "Table code": [schema.Code],
        "Table data": [columns.DataSpec],
        "Tables of columns": [
            columns.NumericColumn,
            columns.CategoryColumn,
            columns.BooleanColumn,
        ],
        "Label of a yes or no": [
            binary_label.TextCondition,
            binary_label.NumberCondition,
            binary_label.CombinedLabel,
        ],
        "Label of several classes": [LABELS["classes"]],
        "A class": [classes_label.NamedClass],
        "Label of a number": [LABELS["number"]],
        "Label of a count": [LABELS["count"]],
        "Label of a time to an event": [LABELS["time-to-event"]],
        "Table privacy": [schema.PrivacySpec],
        **{f"Stage {name}": [STAGES[name].Section] for name in ("count", "statistics")},
        "Stage survival-curve": [STAGES["survival-curve"].Section],
        "Stage train": [STRATEGIES[name].Section for name in STRATEGIES.names()],
        "Looks at a training": [LooksSection],
        "Model of a training": [FAMILIES[name].Section for name in FAMILIES.names()],
        "Stage evaluate": [EvaluateSection, *(EVALUATIONS[name] for name in EVALUATIONS.names())],
        "Subgroups of an evaluation": [Subgroups],
        "Table secagg": [schema.SecAggSpec],
        "Table schedule": [schema.Schedule],
        "Hours of rounds": [cadence.Cadence],
        "Table quality": [schema.Quality],
        "Table outputs": [schema.Outputs],
        "Table exit": [schema.Exit],
        "Parties of a sealed study": [schema.Party, schema.Participant],
        "Software of a sealed study": [schema.Software],
    }


TABLES = tables()


def rows(page, heading):
    """Key → values, what is meant where it is left out, meaning."""
    part = page.split(f"\n### {heading}\n", 1)[1].split("\n## ")[0].split("\n### ")[0]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in part.splitlines() if line[:1] == "|"]
    found = [[cell.strip() for cell in row] for row in cells[2:]]
    return {row[0].strip("`"): row[1:] for row in found}


def written(value):
    """A default as the page writes it."""
    if value in (None, (), "", {}) or isinstance(value, BaseModel):
        return NOTHING
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Decimal):
        value = format(value, "f")
    if isinstance(value, tuple):
        value = list(value)
    return f"`{json.dumps(value)}`"


def left_out(field):
    return NEEDED if field.is_required() else written(field.default)


def inside(annotation):
    """Everything that an annotation is made of, its constraints too."""
    yield annotation
    for part in (*get_args(annotation), *getattr(annotation, "metadata", ())):
        if not inspect.isclass(part):
            yield from inside(part)


def limits(field):
    """Texts of which the values on the page must have each: words to choose from, lowest, highest."""
    for part in (*inside(field.annotation), *(x for m in field.metadata for x in inside(m))):
        if get_origin(part) is Literal:
            yield from (f'`"{word}"`' for word in get_args(part))
        if isinstance(part, Ge):
            yield str(part.ge)
        if isinstance(part, Le):
            yield str(part.le)


def missing(page, heading):
    """What the page leaves out of a table, or says otherwise than the schema."""
    told = rows(page, heading)
    fields = {}
    for section in TABLES[heading]:
        for name, field in section.model_fields.items():
            fields.setdefault(field.alias or name, []).append(field)
    faults = [f"{key}: no such key" for key in told.keys() - fields.keys()]
    for key, every in fields.items():
        if key not in told:
            faults.append(f"{key}: not explained")
            continue
        values, default, meaning = told[key]
        named = {limit for field in every for limit in limits(field)}
        faults += [
            f"{key}: its values do not name {limit}"
            for limit in sorted(named)
            if not re.search(rf"(?<![\w.]){re.escape(limit)}(?![\w.])", values)
        ]
        said = {re.match(r"`[^`]*`|\w+", part.strip())[0] for part in default.split(";")}
        if said != {left_out(field) for field in every}:
            faults.append(f"{key}: left out means {sorted({left_out(f) for f in every})}")
        if not values or not (meaning or key == "kind"):
            faults.append(f"{key}: no values or no meaning")
    return faults


@pytest.mark.parametrize("heading", TABLES)
def test_every_key_is_explained_with_its_values_and_default(heading):
    assert missing(PAGE, heading) == []


def sections(annotation):
    """Tables of the study file that a field holds."""
    for part in inside(annotation):
        for one in (part, *get_args(part)):
            if inspect.isclass(one) and issubclass(one, BaseModel):
                yield one


def test_no_table_of_the_file_is_forgotten():
    known = {section for every in TABLES.values() for section in every}
    found = set()
    for section in known:
        for field in section.model_fields.values():
            found |= set(sections(field.annotation))
    # bases: a file holds one of their kinds, and those stand on the page
    bases = {"StageSection", "ModelSpec", "TrainSection"}
    assert {section for section in found - known if section.__name__ not in bases} == set()
    told = PAGE.split("\n## Every key\n")[1]
    shown = set(re.findall(r"^### (.+)$", told, re.MULTILINE))
    assert shown == set(TABLES)
    assert {section.__name__ for section in found} > {"Cadence", "NamedClass", "Subgroups"}


def test_every_word_of_a_registry_stands_on_the_page():
    for heading, key, registry in (
        ("Stage train", "strategy", STRATEGIES),
        ("Stage evaluate", "metric", EVALUATIONS),
    ):
        values = rows(PAGE, heading)[key][0]
        assert set(re.findall(r'`"([^"]+)"`', values)) == set(registry.names())


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("| `delta` |", "| `dealt` |", "delta: not explained"),
        ("| `1` | runs", "| `2` | runs", "max_attempts: left out means"),
        ('`"local"`, `"distributed"`', '`"local"`', "noise: its values do not name"),
        ("1 to 1 |", "2 to 3 |", "max_attempts: its values do not name 1"),
    ],
)
def test_the_check_can_fail(before, after, said):
    assert before in PAGE
    faults = missing(PAGE.replace(before, after), "Table privacy")
    assert any(said in fault for fault in faults)
