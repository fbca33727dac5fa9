"""Recipes say all that a new task, family, strategy, carrier or source must have, and name files that are there."""

import re
from pathlib import Path

import pytest

from securefl.boards.carrier import Carrier
from securefl.learning.families.family import Family
from securefl.learning.stages.stage import Stage
from securefl.learning.strategies.strategy import Strategy
from securefl.learning.tasks.task import Task
from securefl.origins.origin import Origin
from securefl.sources.source import Source

ROOT = Path(__file__).parents[2]
RECIPES = {
    "stage": Stage,
    "task": Task,
    "family": Family,
    "strategy": Strategy,
    "carrier": Carrier,
    "source": Source,
}


def must_be_written(kind):
    """Abstract methods of an interface, and attributes that it declares and gives no value."""
    declared = {name for part in kind.__mro__ for name in vars(part).get("__annotations__", ())}
    return (kind.__abstractmethods__ - {"__init__"}) | {n for n in declared if not hasattr(kind, n)}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_names_every_method_and_attribute_that_must_be_written(name):
    text = (ROOT / f"docs/extending/{name}.md").read_text()
    named = set(re.findall(r"`(\w+)[^`]*`", text))
    assert must_be_written(RECIPES[name]) - named == set()


def test_a_declared_attribute_without_a_value_must_be_written_and_one_with_a_value_need_not():
    assert {"EvaluationTable", "histogram_words", "loss"} <= must_be_written(Task)
    assert not {"least", "noun", "portable"} & must_be_written(Task)


def test_the_recipe_of_a_source_names_what_an_origin_must_have():
    text = (ROOT / "docs/extending/source.md").read_text().partition("## A new origin")[2]
    assert Origin.__abstractmethods__ - set(re.findall(r"`(\w+)[^`]*`", text)) == set()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_short_and_its_files_are_there(name):
    text = (ROOT / f"docs/extending/{name}.md").read_text()
    assert 10 <= len(text.splitlines()) <= 30
    for path in re.findall(r"`((?:securefl|tests)/[\w/.]+\.py)`", text):
        assert (ROOT / path).exists(), path
