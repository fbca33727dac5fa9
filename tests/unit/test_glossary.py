"""A module is named by a word that the glossary explains, or by a plain one."""

import re
from pathlib import Path

import pytest

import securefl

PACKAGE = Path(securefl.__file__).parent
GLOSSARY = (PACKAGE.parent / "docs" / "glossary.md").read_text("utf-8")
TERMS = re.findall(r"^\*\*(.+?)\*\*", GLOSSARY, re.MULTILINE)
CODE = re.findall(r"^\| (?!word|---)(.+?) \| .+ \| \[(.+?)\]\((.+?)\) \|$", GLOSSARY, re.MULTILINE)
MODULES = sorted({path.stem for path in PACKAGE.rglob("*.py") if not path.stem.startswith("__")})
#: Names of formats, libraries and people, and plain words of programming.
PLAIN = frozenset(
    """
    adaptive address advice amending answered api application archiving asked_label asking
    background bar_chart bare baselines bench blocks browser_pictures cached_hashes cadence capped
    chains changes channel characters charts checking checks choosing ciphertexts claims client
    clock commented comparing comparison completion consortium csv curve25519 dates delivery demo
    description designing differences digits discrimination doctor dp_fedexp dpsgd draft drawing
    empirical encrypted entering entry environment errors estimates estimators evaluate exact
    examples excel expected explain exporting facts failure_note faults fedavg fedavgm fednova
    fedprox fedsgd fhir fields figures files finished_study forecast formats fraud fsspec given
    html import_guard import_stand_ins importing integer_fields judging kept_report kinds leaving lightgbm_text
    limits linear lines link_file live machine main markdown markup meanings memory metrics notebook
    onnx_file onnx_nodes opacus_hooks openmetrics optional_package other_studies outcome own_figures own_place own_signed
    parquet parse participation parties paths personalize picture_files places planning plausible
    play predict privacy program programme public public_side public_times published_sizes purposes
    recurrence registration registries results resuming roles rows rules run scaffold scoring
    s3 screen sealed server settling sftp shamir shown signed simulate spreadsheet sql steady stopping
    streaming streams summing svg tempfiles terminal texts thyroid timeouts told torch_module train
    types unchanged_file undumpable url utc_times verifying version1 visits waiting webdav what_if whole_vectors wording
    words writing
    """.split()  # noqa: SIM905 - a list of words reads as words
)


def singular(word):
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


KNOWN = {
    singular(word)
    for term in (*TERMS, *(word for word, _, _ in CODE))
    for word in re.split(r"[ -]", term.lower())
}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_named_by_a_word_of_the_glossary_or_by_a_plain_one(module):
    assert module in PLAIN or any(singular(word) in KNOWN for word in module.split("_"))


def test_no_plain_word_is_kept_for_a_module_that_is_gone():
    assert set(MODULES) >= PLAIN


def test_the_words_of_the_code_are_in_order_and_lead_to_their_modules():
    assert len(CODE) > 50
    assert [word for word, _, _ in CODE] == sorted(word for word, _, _ in CODE)
    for _, shown, link in CODE:
        assert link == f"../securefl/{shown}"
        assert (PACKAGE / shown).is_file()
