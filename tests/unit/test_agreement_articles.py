"""A study just within each article passes, and one just beyond it is refused with its number."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from agreements import AT, COORDINATOR, HOSPITALS, agreement, agreement_text, case, study
from conftest import fixed_identity

from securefl.agreement.article import Case, OwnTable, PastStudy
from securefl.agreement.checking import check_study
from securefl.agreement.sealed import SealedAgreement
from securefl.errors import StudyError
from securefl.identity import Identity
from securefl.study.table_troubles import TROUBLE_WORDS, TROUBLES

if TYPE_CHECKING:
    from securefl.agreement.schema import Agreement


def refusals(found):
    return [str(breach) for breach in check_study(found)]


def test_the_small_study_is_within_the_agreement():
    assert refusals(case()) == []


def test_every_article_has_a_number_of_its_own_and_says_what_holds():
    articles = agreement().agreement.articles
    assert [article.number for article in articles] == list(range(1, 13))
    for article in articles:
        assert article.title
        assert all(line.endswith(".") for line in article.clauses())


LICENCES = 'licences = ["CC-BY-4.0"]'


def expires(day):
    """An edit of the small study, which closes on the first of February 2026."""
    return ("recipients = ", f"expires = 2026-02-0{day}T00:00:00Z\nrecipients = ")


#: Article and clause, the agreed limit with the study just within it, the study just beyond it.
#: Each is an edit of the agreement or of the study.
LIMITS = [
    (
        "Article 2, purposes",
        {"agreement": ('duo = ["DUO:0000042", "DUO:0000006"]', 'duo = ["DUO:0000042"]')},
        {"agreement": ('duo = ["DUO:0000042", "DUO:0000006"]', 'duo = ["DUO:0000006"]')},
    ),
    (
        "Article 3, epsilon a study",
        {"agreement": ('epsilon_study = "2"', 'epsilon_study = "1"')},
        {"agreement": ('epsilon_study = "2"', 'epsilon_study = "0.999"')},
    ),
    (
        "Article 3, delta",
        {"agreement": ('\ndelta = "1e-5"', '\ndelta = "0.00001"')},
        {"agreement": ('\ndelta = "1e-5"', '\ndelta = "0.000009"')},
    ),
    (
        "Article 3, unit of privacy",
        {"study": ('unit = "patient"', 'unit = "patient"')},
        {"study": ('unit = "patient"', 'unit = "record"')},
    ),
    (
        "Article 3, noise",
        {"agreement": ('noise = ["local"]', 'noise = ["distributed", "local"]')},
        {"study": ('noise = "local"', 'noise = "distributed"')},
    ),
    (
        "Article 4, kinds of stages",
        {"agreement": ('"count", "statistics", "train", "evaluate"', '"train", "evaluate"')},
        {"agreement": ('"count", "statistics", "train", "evaluate"', '"count", "train"')},
    ),
    (
        "Article 4, tasks",
        {"agreement": ('tasks = ["binary"]', 'tasks = ["binary", "number"]')},
        {"agreement": ('tasks = ["binary"]', 'tasks = ["number"]')},
    ),
    (
        "Article 4, families of models",
        {"agreement": ('families = ["linear", "perceptron"]', 'families = ["linear"]')},
        {"agreement": ('families = ["linear", "perceptron"]', 'families = ["perceptron"]')},
    ),
    (
        "Article 5, fewest hospitals",
        {"agreement": ("min_participants = 5", "min_participants = 5")},
        {"agreement": ("min_participants = 5", "min_participants = 6")},
    ),
    (
        "Article 5, fewest in a total",
        {"agreement": ("min_contributors = 4", "min_contributors = 5")},
        {"study": ("min_contributors = 5\ncolluders = 3", "min_contributors = 3\ncolluders = 0")},
    ),
    (
        "Article 6, lowest figure",
        {"agreement": ('\nbinary = "0.5"', '\nbinary = "0.50"')},
        {"agreement": ('\nbinary = "0.5"', '\nbinary = "0.51"')},
    ),
    (
        "Article 7, recipients",
        {"agreement": ('recipients = ["participants"]', 'recipients = ["participants"]')},
        {"agreement": ('recipients = ["participants"]', 'recipients = ["STMW", "SVI"]')},
    ),
    (
        "Article 7, expiry of models",
        {"agreement": (LICENCES, f"{LICENCES}\nexpire_days = 2"), "study": expires(3)},
        {"agreement": (LICENCES, f"{LICENCES}\nexpire_days = 2"), "study": expires(4)},
    ),
    (
        "Article 7, expiry of models",
        {"agreement": (LICENCES, LICENCES)},
        {"agreement": (LICENCES, f"{LICENCES}\nexpire_days = 3660")},
    ),
    (
        "Article 7, licences",
        {"agreement": ('licences = ["CC-BY-4.0"]', 'licences = ["CC-BY-4.0", "MIT"]')},
        {"agreement": ('licences = ["CC-BY-4.0"]', 'licences = ["MIT"]')},
    ),
    (
        "Article 8, longest study",
        {"agreement": ("longest_days = 60", "longest_days = 31")},
        {"agreement": ("longest_days = 60", "longest_days = 30")},
    ),
    (
        "Article 12, dates",
        {"agreement": ("ends = 2026-12-31T00:00:00Z", "ends = 2026-02-01T00:00:00Z")},
        {"agreement": ("ends = 2026-12-31T00:00:00Z", "ends = 2026-01-31T23:59:59Z")},
    ),
]


@pytest.mark.parametrize(("clause", "within", "beyond"), LIMITS, ids=[row[0] for row in LIMITS])
def test_a_study_just_within_passes_and_one_just_beyond_is_named(clause, within, beyond):
    def found(edits):
        agreed = [edits["agreement"]] if "agreement" in edits else []
        asked = [edits["study"]] if "study" in edits else []
        return refusals(case(*agreed, of=study(*asked)))

    assert found(within) == []
    refused = found(beyond)
    assert len(refused) == 1
    assert refused[0].startswith(f"{clause}: ")


def test_a_study_must_state_the_epsilon_of_the_whole():
    unstated = study(('unit = "patient"\nepsilon = "1"\n', 'unit = "patient"\n'))
    (refused,) = refusals(case(of=unstated))
    assert "does not state the epsilon of the whole" in refused


# --- article 1: roles


@pytest.mark.parametrize(
    ("key", "clause"), [("lead", "who may lead"), ("aggregate", "who may aggregate")]
)
def test_only_those_named_lead_and_aggregate(key, clause):
    plural, me = {
        "lead": ("researchers", "Researcher"),
        "aggregate": ("aggregators", "Aggregator"),
    }[key]
    line = f'{key} = ["{plural}"]'
    assert refusals(case((line, f'{key} = ["{me}"]'))) == []
    other = fixed_identity("Somebody", {"lead": "researcher", "aggregate": "aggregator"}[key])
    agreed = agreement((line, f'{key} = ["Somebody"]'), parties=(*PARTIES, other)).agreement
    (refused,) = refusals(case_of(agreed))
    assert refused.startswith(f"Article 1, {clause}: {me} is not among those")


PARTIES = (*HOSPITALS, COORDINATOR, fixed_identity("Aggregator", "aggregator"))


def case_of(agreed: Agreement, **facts):
    return Case(agreed, study(), **{"at": AT, **facts})


def test_a_hospital_outside_the_agreement_takes_no_part():
    agreed = agreement(("signatures = 5", "signatures = 4"), parties=PARTIES[1:]).agreement
    (refused,) = refusals(case_of(agreed))
    name = HOSPITALS[0].card.name
    assert refused.startswith(f"Article 1, who takes part: {name} is no hospital")


def test_a_party_with_other_keys_is_another_party_unless_its_card_carries_both():
    first = HOSPITALS[0].card
    before = Identity.generate(first.name, "hospital", first.legal_name, first.email)
    agreed = agreement(parties=(before, *PARTIES[1:])).agreement
    assert len(refusals(case_of(agreed))) == 1
    carried = frozenset({before.card.signing_public, first.signing_public})
    assert refusals(case_of(agreed, keys={first.name: carried})) == []
    one_of_them = frozenset({first.signing_public})
    assert len(refusals(case_of(agreed, keys={first.name: one_of_them}))) == 1


# --- articles 3 and 8: figures of the ledger


def past(days_ago, epsilon="1", ended=None):
    approved = AT - timedelta(days=days_ago)
    over = AT - timedelta(days=ended) if ended is not None else None
    return PastStudy(approved, over, Decimal(epsilon))


def test_a_quarter_counts_what_ended_within_92_days_and_what_goes_on():
    edit = ('epsilon_quarter = "4"', 'epsilon_quarter = "2"')
    assert refusals(case(edit, history=[past(10, "1", ended=9)])) == []
    beyond = [
        [past(10, "1.01", ended=9)],
        [past(100, "1.01", ended=92)],
        [past(300, "1.01")],
        [past(10, "0.6", ended=9), past(20, "0.6", ended=19)],
    ]
    for history in beyond:
        (refused,) = refusals(case(edit, history=history))
        assert refused.startswith("Article 3, epsilon a quarter: ")
    assert refusals(case(edit, history=[past(200, "9", ended=93)])) == []


def test_a_study_approved_later_does_not_count_against_one_approved_before():
    edit = ('epsilon_quarter = "4"', 'epsilon_quarter = "2"')
    assert refusals(case(edit, history=[past(-1, "2")])) == []


def test_days_between_two_studies_are_counted_from_approval_to_approval():
    assert refusals(case(history=[past(7, "0.1", ended=0)])) == []
    (refused,) = refusals(case(history=[past(6, "0.1", ended=0)]))
    assert refused.startswith("Article 8, days between studies: ")


def test_without_a_ledger_its_figures_are_left_to_the_hospitals():
    assert refusals(case(history=None)) == []


# --- article 9: places


def test_only_an_agreed_store_is_used_where_one_is_named():
    named = 'stores = [{ url = "s3://ring/board", jurisdiction = "DE" }]'
    edit = ("stores = []", named)
    assert refusals(case(edit, store="s3://ring/board")) == []
    (refused,) = refusals(case(edit, store="s3://elsewhere/board"))
    assert refused.startswith("Article 9, stores: ")
    assert refusals(case(store="s3://elsewhere/board")) == []


# --- article 11: leaving


def test_a_study_closes_before_a_party_of_it_has_left():
    name = HOSPITALS[2].card.name
    closes = datetime(2026, 2, 1, tzinfo=UTC)
    assert refusals(case(departed={name: closes})) == []
    (refused,) = refusals(case(departed={name: closes - timedelta(seconds=1)}))
    assert refused.startswith(f"Article 11, notice of leaving: {name} has left")
    assert refusals(case(departed={"Nobody": AT})) == []


# --- article 13: readiness


READY = ("# [readiness]\n# tolerated =", "[readiness]\ntolerated =")
TOLERATED = ("gaps", "doubles", "change")


def test_an_agreement_without_the_later_tables_keeps_its_digest_and_asks_for_nothing():
    plain, more = agreement(), agreement(READY, RELEASE)
    assert [a.number for a in more.agreement.articles] == list(range(1, 15))
    assert plain.digest != more.digest
    assert refusals(case(table=OwnTable(looked=False))) == []
    for article in more.agreement.articles:
        assert all(line.endswith(".") for line in article.clauses())


def test_a_study_is_approved_after_a_look_that_shows_only_what_is_tolerated():
    passes = OwnTable(looked=True, troubles=frozenset(TOLERATED))
    assert refusals(case(READY, table=passes)) == []
    (refused,) = refusals(case(READY, table=OwnTable(looked=False)))
    assert refused.startswith("Article 13, before approval: 'records' as it is now was not looked")
    for trouble in {*TROUBLES} - {*TOLERATED}:
        table = OwnTable(looked=True, troubles=frozenset({"gaps", trouble}))
        (refused,) = refusals(case(READY, table=table))
        assert refused == (
            f"Article 13, before approval: 'records' is not ready: {TROUBLE_WORDS[trouble]}."
        )


def test_readiness_is_left_to_the_hospital_that_has_the_table():
    assert refusals(case(READY, table=None)) == []


# --- article 14: handing on


RELEASE = ('# [release.minimum]\n# binary = "0.6"', '[release.minimum]\nbinary = "0.6"')


def asking(minimum, stop_rule):
    return study(
        ('minimum = "0.5"', f'minimum = "{minimum}"'),
        ('stop_rule = "none"', f'stop_rule = "{stop_rule}"'),
    )


def test_a_study_withholds_its_model_until_the_agreed_figure_is_shown():
    assert refusals(case(RELEASE, of=asking("0.6", "withhold"))) == []
    (refused,) = refusals(case(RELEASE, of=asking("0.59", "withhold")))
    assert refused.startswith("Article 14, lowest figure: the study asks for 0.59")
    (refused,) = refusals(case(RELEASE, of=asking("0.6", "none")))
    assert refused.startswith("Article 14, until it is shown: the study hands its model on")
    other = ('# [release.minimum]\n# binary = "0.6"', '[release.minimum]\nnumber = "0.6"')
    (refused,) = refusals(case(other, of=asking("0.9", "withhold")))
    assert refused.startswith("Article 14, models that may be handed on: no figure is agreed")


# --- the file


BROKEN = [
    (("signatures = 5", "signatures = 8"), r"amending\.signatures: there are 7 parties"),
    (('["DE", "AT"]', '["AT"]'), r"parties\.1\.jurisdiction: DE is not among"),
    (('lead = ["researchers"]', 'lead = ["SVI"]'), r'roles\.lead\.1: "SVI" is no researcher'),
    (('recipients = ["participants"]', 'recipients = ["X"]'), r'recipients\.1: "X" is no party'),
    (('tasks = ["binary"]', 'tasks = ["guess"]'), r'methods\.tasks\.1: "guess" is not known here'),
    (('\nbinary = "0.5"', '\nguess = "0.5"'), r"quality\.minimum\.guess: is no task"),
    (("version = 1", "version = 2"), r"consortium\.supersedes: a later version names"),
    (("min_contributors = 4", "min_contributors = 6"), r"at most min_participants"),
    (('epsilon_quarter = "4"', 'epsilon_quarter = "1"'), r"must be at least epsilon_study"),
    (('epsilon_study = "2"', "epsilon_study = 2.0"), r"write it as text in quotes"),
    (("ends = 2026-12-31T00:00:00Z", "ends = 2025-12-31T00:00:00Z"), r"must lie before ends"),
    (
        ("# [readiness]\n# tolerated = [", '[readiness]\ntolerated = ["columns", '),
        r"readiness\.tolerated: a study needs its columns",
    ),
    (
        ('# [release.minimum]\n# binary = "0.6"', "[release]\nminimum = {}"),
        r"release\.minimum: names no task",
    ),
    (("notice_days = 30", "notice_dayz = 30"), r"leaving\.notice_dayz: unknown key"),
]


@pytest.mark.parametrize(("edit", "said"), BROKEN, ids=[row[1] for row in BROKEN])
def test_a_broken_agreement_is_refused_with_its_place(edit, said):
    old, new = edit
    text = agreement_text().replace(old, new)
    with pytest.raises(StudyError) as refused:
        SealedAgreement.read(text.encode())
    assert re.search(said, refused.value.what), refused.value.what
    assert refused.value.whose == "whoever wrote the agreement"


def test_any_value_is_in_the_digest_and_no_comment_is():
    text = agreement_text()
    digest = SealedAgreement.read(text.encode()).digest
    assert SealedAgreement.read(f"# another comment\n{text}".encode()).digest == digest
    other = text.replace("notice_days = 30", "notice_days = 31")
    assert SealedAgreement.read(other.encode()).digest != digest
