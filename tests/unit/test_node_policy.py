"""What a hospital demands of a request before its owner may say yes; every fault is shown, not only
the first.
"""

import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from conftest import fixed_identity, party
from consortium import NAMES, Consortium
from graph_models import model_table

from securefl.errors import StudyError
from securefl.learning.families.graph import OwnGraph
from securefl.learning.stages.programme import charges_of
from securefl.node.policy import review, review_again
from securefl.party.folder import PartyFolder
from securefl.sources.csv import CsvSource
from securefl.study.sealed import SealedStudy

ME, OTHER, THIRD = NAMES
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


@pytest.fixture(scope="module")
def study(c):
    return c.new_study("asked")


@pytest.fixture
def site(c):
    found = c.site(ME)
    yield found
    found.ledger.close()


def codes(site, text, now=NOW):
    return [(f.code, f.what) for f in review(site, SealedStudy.read(text), now).faults]


def only(site, text, code, what, now=NOW):
    (fault,) = codes(site, text, now)
    assert fault[0] == code
    assert what in fault[1]


def replaced(study, *edits):
    text = study.text.decode()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def test_a_request_that_fits_has_no_fault_and_a_quote(site, study):
    found = review(site, study.sealed, NOW)
    assert found.faults == ()
    assert found.quote.fits
    assert set(found.trusted) == {*NAMES, "researcher"}
    assert found.digest == study.digest


def test_what_is_no_study_cannot_be_reviewed(site):
    for text in (b"", b"schema = 1", b"\xff\xfe", b"x" * 10_000):
        with pytest.raises(StudyError):
            review(site, SealedStudy.read(text), NOW)


def test_charges_are_all_steps_and_the_evaluation(study):
    update, evaluation = charges_of(study.file)
    assert (update.purpose, update.mechanism.count) == ("update", 3)
    assert (evaluation.purpose, evaluation.mechanism.count) == ("evaluation", 1)


def test_a_model_that_this_machine_cannot_train_is_a_fault_before_anybody_approves(
    site, study, monkeypatch
):
    """A machine without PyTorch trains whatever does not say that it needs it."""
    monkeypatch.setitem(sys.modules, "torch", None)
    assert review(site, study.sealed, NOW).faults == ()
    edit = ('kind = "logistic-regression"', model_table(6, 1))
    text = replaced(study, edit)
    assert not any("needs torch" in w for _, w in codes(site, text))
    monkeypatch.setattr(OwnGraph, "needs", ("torch",))
    assert sum("needs torch, and this machine has it not" in w for _, w in codes(site, text)) == 1


def test_figures_that_contradict_each_other_are_a_fault(site, study):
    assert any(
        "contradict" in what
        for _, what in codes(
            site, replaced(study, ('noise_multiplier = "2.0"', 'noise_multiplier = "1.0"'))
        )
    )


def test_a_second_review_leaves_out_the_figures_and_nothing_else(site, study, monkeypatch):
    """The digest fixes them; an agent that starts a study does not load the accountant."""
    twice_wrong = replaced(
        study,
        ('noise_multiplier = "2.0"', 'noise_multiplier = "1.0"'),
        (study.file.software.lock_sha256, "ab" * 32),
    )
    sealed = SealedStudy.read(twice_wrong)
    first = review(site, sealed, NOW).faults
    monkeypatch.setattr("securefl.node.policy.check_consistency", None)
    again = review_again(site, sealed, NOW)
    assert [f.what for f in again.faults] == [f.what for f in first[1:]]
    assert "contradict" in first[0].what
    assert "made with securefl" in again.faults[0].what


def test_other_software_is_a_fault(site, study):
    mine = study.file.software.lock_sha256
    text = replaced(study, (mine, "ab" * 32))
    only(site, text, "study-invalid", "made with securefl")
    # one version with two locks: "install the same version" would say nothing
    (fault,) = review(site, SealedStudy.read(text), NOW).faults
    assert "same commit of a checkout" in fault.next_step
    other = replaced(study, (f'securefl = "{study.file.software.securefl}"', 'securefl = "0.0.9"'))
    (fault,) = review(site, SealedStudy.read(other), NOW).faults
    assert "run one version" in fault.next_step


@pytest.mark.parametrize("when", ["opens", "closes"])
def test_a_study_outside_its_schedule_is_a_fault(site, study, when):
    moment = getattr(study.file.schedule, when)
    outside = moment - timedelta(seconds=1) if when == "opens" else moment + timedelta(seconds=1)
    only(site, study.text, "study-invalid", "by this machine's clock it is", outside)
    assert codes(site, study.text, moment) == []


def test_a_study_that_does_not_name_this_hospital_is_a_fault(c, study):
    from securefl.node.site import Site

    outsider = Site.init(
        c.root / "outsider",
        name="OUT",
        legal_name="H",
        email="a@example.org",
        store=str(c.store_folder),
    )
    assert any("does not name OUT" in what for _, what in codes(outsider, study.text))
    assert any("No data set" in what for _, what in codes(outsider, study.text))
    assert any(code == "budget" for code, _ in codes(outsider, study.text))
    outsider.ledger.close()


def test_other_keys_for_this_hospital_are_a_fault(site, study):
    other = fixed_identity("another", "hospital").card
    only(
        site,
        replaced(study, (site.identity.card.signing_public, other.signing_public)),
        "untrusted",
        f"other keys for {ME} than its own",
    )
    only(
        site,
        replaced(study, (site.identity.card.sealing_public, other.sealing_public)),
        "untrusted",
        f"other keys for {ME} than its own",
    )


@pytest.mark.parametrize("name", [OTHER, "researcher"])
@pytest.mark.parametrize("key", ["signing_public", "sealing_public"])
def test_other_keys_than_the_trusted_card_are_a_fault(c, site, study, name, key):
    card = site.book.cards()[name]
    stranger = fixed_identity("another", "hospital").card
    only(
        site,
        replaced(study, (getattr(card, key), getattr(stranger, key))),
        "untrusted",
        f"other keys for {name} than the card that is trusted here",
    )


def test_a_participant_that_is_not_in_this_hospitals_list_is_a_fault(site, study):
    card = site.book.cards()[OTHER]
    site.book.distrust(OTHER)
    try:
        only(site, study.text, "untrusted", f"{OTHER} is not in this party's own list of partners")
        assert OTHER not in review(site, study.sealed, NOW).trusted
    finally:
        site.book.trust(card)


def test_a_researchers_card_makes_no_hospital(c, site, study):
    """Who is trusted as a researcher cannot appear as one of the hospitals that are to hide each
    other.
    """
    researcher = c.lab.folder.identity.card
    stranger = fixed_identity("coordinator", "researcher")
    fields = party(stranger)
    text = study.text.decode()
    victim = study.file.participant(OTHER)
    for old, new in (
        (victim.signing_public, "@S"),
        (victim.sealing_public, "@E"),
        (researcher.signing_public, fields["signing_public"]),
        (researcher.sealing_public, fields["sealing_public"]),
        ("@S", researcher.signing_public),
        ("@E", researcher.sealing_public),
        ('name = "researcher"', 'name = "coordinator"'),
        (f'name = "{OTHER}"', 'name = "researcher"'),
    ):
        text = text.replace(old, new)
    faults = codes(site, text.encode())
    assert any(
        "researcher is trusted here as a researcher, but the study names it as a hospital" in what
        for _, what in faults
    )


@pytest.mark.parametrize("field", ["legal_name", "email"])
@pytest.mark.parametrize("name", [ME, OTHER, "researcher"])
def test_a_false_name_on_true_keys_is_a_fault(c, site, study, name, field):
    """The page would show the false name beside "verified here"."""
    card = site.identity.card if name == ME else site.book.cards()[name]
    head, mark, tail = study.text.decode().partition(f'name = "{name}"\n')
    true = f'{field} = "{getattr(card, field)}"'
    assert mark
    assert true in tail
    text = (head + mark + tail.replace(true, f'{field} = "Ministry of Health"', 1)).encode()
    only(site, text, "untrusted", f"The study calls {name} '")
    only(site, text, "untrusted", "Ministry of Health")
    if name != ME:
        assert getattr(review(site, SealedStudy.read(text), NOW).cards[name], field) == getattr(
            card, field
        )


def test_a_false_name_of_a_listed_aggregator_is_a_fault(c, site, study):
    site.book.trust(PartyFolder.open(c.root / "sums", "aggregator").identity.card)
    try:
        assert codes(site, study.text) == []
        only(
            site,
            replaced(study, ('"A Neutral Party"', '"Ministry of Health"')),
            "untrusted",
            "Ministry of Health",
        )
    finally:
        site.book.distrust("sums")
    # control: who is not listed is not called verified, and its names are the study's own words
    assert codes(site, replaced(study, ('"A Neutral Party"', '"Ministry of Health"'))) == []
    assert "sums" not in review(site, study.sealed, NOW).trusted


def test_the_coordinator_cannot_hold_this_hospitals_key(site, study):
    coordinator = study.file.coordinator
    with pytest.raises(StudyError):
        codes(
            site, replaced(study, (coordinator.signing_public, site.identity.card.signing_public))
        )


def test_a_data_set_of_another_population_is_a_fault(site, study):
    faults = codes(site, replaced(study, ('population = "clinic"', 'population = "another"')))
    assert any("belongs to the population 'clinic'" in what for _, what in faults)


def test_a_missing_column_is_named_to_the_owner_with_a_code_for_the_others(c, site, study):
    table = c.table(ME)
    good = table.read_bytes()
    table.write_bytes(good.replace(b"TSH", b"tsh", 1))
    try:
        only(site, study.text, "data", "no column 'TSH'")
    finally:
        table.write_bytes(good)


def test_a_table_that_is_gone_is_a_fault(c, site, study):
    table = c.table(ME)
    table.rename(table.with_suffix(".away"))
    try:
        only(site, study.text, "data", "cannot be opened")
    finally:
        table.with_suffix(".away").rename(table)


def test_only_the_header_of_a_table_is_read(tmp_path):
    file = tmp_path / "t.csv"
    file.write_bytes(b"a,b\n" + b"\xff" * 100)
    assert CsvSource(file).columns() == ("a", "b")


def test_too_little_budget_is_a_fault_with_its_figures(tmp_path_factory):
    poor = Consortium(tmp_path_factory.mktemp("poor"), epsilon="1.6")
    first, second = poor.new_study("first"), poor.new_study("second")
    poor.approve(ME, first)
    site = poor.site(ME)
    found = review(site, second.sealed, NOW)
    assert [f.code for f in found.faults] == ["budget"]
    assert not found.quote.fits
    assert found.quote.asked > found.quote.cap - found.quote.used > 0
    assert Decimal(0) < found.quote.asked_share <= 1
    site.ledger.close()


def test_every_fault_is_shown(c, site, study):
    card = site.book.cards()[OTHER]
    site.book.distrust(OTHER)
    try:
        text = replaced(
            study,
            (study.file.software.lock_sha256, "ab" * 32),
            ('population = "clinic"', 'population = "another"'),
        )
        found = codes(site, text, study.file.schedule.closes + timedelta(days=1))
    finally:
        site.book.trust(card)
    assert (
        len(found) == 5
    )  # software, schedule, an unknown hospital, the data set's population, no budget for it
