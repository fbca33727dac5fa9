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
    cadence live metrics openmetrics settling
    address advice api background bar_chart blocks cached_hashes capped channel characters charts client clock csv dates
    environment errors estimates exact excel explain fhir figures files fsspec html limits linear lines machine main markdown
    markup memory parquet parse paths run screen shown signed spreadsheet sql streaming streams svg tempfiles terminal texts
    timeouts types undumpable url version1 words
    adaptive kept_report asked_label commented description designing draft given published_sizes rules what_if curve25519 dp_fedexp dpsgd fedavg fedavgm fednova fedprox fedsgd opacus_hooks scaffold shamir thyroid
    answered asking bare baselines bench claims consortium delivery demo discrimination doctor empirical
    chains choosing comparison digits encrypted facts fraud judging personalize simulate
    entering entry evaluate expected failure_note faults fields forecast import_guard integer_fields
    application changes completion differences drawing link_file server
    leaving meanings other_studies outcome own_figures own_place planning plausible play predict
    programme public public_side public_times recurrence registration registries results resuming roles rows scoring
    amending cadence checking participation parties places privacy purposes
    sealed steady stopping summing told train verifying visits waiting whole_vectors wording writing
    adaptive address advice amending answered api application asked_label asking background bar_chart bare baselines
    bench blocks cached_hashes cadence capped chains channel characters charts checking choosing claims client clock
    commented comparison completion consortium csv curve25519 dates delivery demo description designing
    discrimination doctor dp_fedexp dpsgd draft drawing empirical encrypted entering entry environment errors
    estimates evaluate exact excel expected explain facts failure_note faults fedavg fedavgm fednova fedprox fedsgd
    fhir fields figures files forecast fraud fsspec given html import_guard integer_fields judging leaving limits
    linear lines link_file machine main markdown markup meanings memory opacus_hooks other_studies outcome
    own_figures own_place parquet parse participation parties paths personalize places planning plausible play
    predict privacy programme public public_side public_times published_sizes purposes recurrence registration
    registries results resuming roles rows rules run scaffold scoring screen sealed server sftp shamir shown signed
    simulate spreadsheet sql steady stopping streaming streams summing svg tempfiles terminal texts thyroid timeouts
    told train types undumpable url verifying version1 visits waiting webdav what_if whole_vectors wording words
    writing
    exporting importing kinds checks ciphertexts
    browser_pictures picture_files
    archiving comparing estimators examples finished_study formats onnx_file onnx_nodes program torch_module
    comparing estimators formats lightgbm_text onnx_file onnx_nodes program torch_module
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
