"""A hospital's machine holds every study to the agreement that is in force there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from agreed_consortium import AgreedConsortium
from consortium import NAMES

from securefl.errors import (
    NotApprovedError,
    StudyError,
    UnreadableError,
    UntrustedError,
    UsageError,
)
from securefl.node import agreements, decisions
from securefl.node.policy import review, review_again
from securefl.party.consortium_drafts import next_version

ME, OTHER, THIRD = NAMES


def now():
    return datetime.now(UTC)


@pytest.fixture
def c(tmp_path):
    return AgreedConsortium(tmp_path)


def whats(c, study, name=ME):
    """What stands against a study at a hospital."""
    site, found = c.review(name, study)
    site.ledger.close()
    return [fault.what for fault in found.faults]


def test_an_agreement_comes_into_force_with_every_signature_and_not_before(c):
    c.sign(*NAMES, "researcher")
    with pytest.raises(NotApprovedError, match=r"Still to sign: sums\."):
        c.enforce(ME)
    c.sign("sums")
    plan = c.enforce(ME)
    site = c.site(ME)
    assert agreements.in_force(site, now()) == {"clinic": plan.sealed.digest}
    assert agreements.kept(site, plan.sealed.digest).text == plan.sealed.text
    signatures = site.path / "agreements" / plan.sealed.digest / "signatures"
    assert len(list(signatures.iterdir())) == 5
    site.ledger.close()


def test_a_study_names_the_agreement_that_is_in_force_and_no_other(c):
    without = c.agreed_study("without", agreement=False)
    named = c.agreed_study("named")
    (early,) = whats(c, named)
    assert "is not in force here" in early
    assert whats(c, without) == []
    c.agree()
    (missing,) = whats(c, without)
    assert "A study on them names it; this one names none." in missing
    assert whats(c, named) == []


def test_a_study_beyond_an_article_is_refused_with_the_article_and_cannot_be_approved(c):
    c.edit(('epsilon_study = "2"', 'epsilon_study = "0.9"'))
    c.agree()
    with pytest.raises(StudyError, match="Article 3, epsilon a study"):
        c.agreed_study("beyond")
    # a researcher whose program did not check
    plain = c.agreed_study("plain", agreement=False)
    text = plain.text.decode().replace("\n", f'\nagreement = "{c.folder.sealed().digest}"\n', 1)
    site, found = c.review(ME, plain, text.encode())
    (fault,) = found.faults
    assert "Article 3, epsilon a study: the study may cost 1, at most 0.9 is agreed." in fault.what
    with pytest.raises(StudyError, match="Article 3"):
        decisions.approve(site, found)
    site.ledger.close()


def test_the_ledger_says_what_a_quarter_has_cost(c):
    c.edit(('epsilon_quarter = "4"', 'epsilon_quarter = "2"'))
    c.agree()
    for study_id in ("one", "two"):
        c.approve(ME, c.agreed_study(study_id))
    (fault,) = whats(c, c.agreed_study("three"))
    assert "Article 3, epsilon a quarter: the studies of the last 92 days cost 1.99" in fault


def test_two_requests_reviewed_at_once_do_not_together_go_beyond_a_quarter(c):
    c.edit(
        ('epsilon_quarter = "4"', 'epsilon_quarter = "2"'),
        ('epsilon_study = "2"', 'epsilon_study = "1"'),
    )
    c.agree()
    studies = [c.agreed_study(study_id) for study_id in ("one", "two", "three")]
    reviewed = [c.review(ME, study) for study in studies]
    assert all(not found.faults for _, found in reviewed)
    for site, found in reviewed[:2]:
        decisions.approve(site, found)
    with pytest.raises(StudyError, match="epsilon a quarter"):
        decisions.approve(*reviewed[2])
    for site, _ in reviewed:
        site.ledger.close()


def test_what_was_approved_later_does_not_count_against_a_study(c):
    c.edit(('epsilon_quarter = "4"', 'epsilon_quarter = "2"'))
    c.agree()
    studies = [c.agreed_study(study_id) for study_id in ("one", "two")]
    for study in studies:
        c.approve(ME, study)
    site = c.site(ME)
    for study in studies:
        again = review_again(site, study.sealed, now())
        assert again.faults_beside_budget == ()
    site.ledger.close()


def test_an_amendment_needs_the_signatures_that_the_version_before_says_and_ones_own(c):
    c.edit(("signatures = 3", "signatures = 2"))
    c.agree()
    next_version(c.folder)
    c.edit(('epsilon_study = "2"', 'epsilon_study = "1.5"'))
    c.take_in()
    c.sign(OTHER)
    with pytest.raises(NotApprovedError, match="1 of "):
        c.enforce(OTHER)
    c.sign(THIRD)
    second = c.enforce(OTHER).sealed
    with pytest.raises(NotApprovedError, match=f"Still to sign: {ME}"):
        c.enforce(ME)
    site = c.site(OTHER)
    assert agreements.in_force(site, now()) == {"clinic": second.digest}
    site.ledger.close()
    study = c.agreed_study("amended")
    assert whats(c, study, OTHER) == []
    (fault,) = whats(c, study, ME)
    assert "names another" in fault


def test_a_hospital_that_leaves_is_bound_until_its_notice_is_over(c):
    c.agree()
    site = c.site(ME)
    over = agreements.leave(site, c.folder, "2026-01-01T00:00:00Z")
    assert over - now() > timedelta(days=29)
    assert agreements.in_force(site, now())
    assert agreements.in_force(site, over) == {}
    named = c.agreed_study(
        "after", ("closes = ", "closes = 2900-01-01T00:00:00Z # "), agreement=False
    )
    text = named.text.decode().replace("\n", f'\nagreement = "{c.folder.sealed().digest}"\n', 1)
    site.ledger.close()
    for name in (ME, OTHER):
        if name == OTHER:
            assert c.enforce(OTHER).leaving == (ME,)
        here, found = c.review(name, named, text.encode())
        here.ledger.close()
        assert any(f"Article 11, notice of leaving: {ME} has left" in f.what for f in found.faults)


def test_a_notice_that_was_interrupted_is_given_again(c, monkeypatch):
    c.agree()
    site = c.site(ME)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(agreements, "_note_departure", killed)
        with pytest.raises(KeyboardInterrupt):
            agreements.leave(site, c.folder, "2026-01-01T00:00:00Z")
    first = agreements.leave(site, c.folder, "2026-01-01T00:00:00Z")
    c.folder.notice_file(ME).unlink()
    assert agreements.leave(site, c.folder, "2026-01-01T00:00:00Z") == first
    assert c.folder.notice_file(ME).exists()
    site.ledger.close()


def test_no_notice_is_signed_of_what_is_not_in_force(c):
    site = c.site(ME)
    with pytest.raises(UsageError, match="not in force here"):
        agreements.leave(site, c.folder, "2026-01-01T00:00:00Z")
    site.ledger.close()
    assert not c.folder.notice_file(ME).exists()


def test_an_agreement_that_ran_out_does_not_come_into_force(c):
    c.edit(("begins = ", "begins = 2000-01-01T00:00:00Z # "), ("ends = 2999", "ends = 2001"))
    c.take_in()
    c.sign()
    with pytest.raises(UsageError, match="ran out on 2001-12-31"):
        c.enforce(ME)


def test_a_population_that_is_called_otherwise_here_is_named_before_the_yes(c):
    c.edit(('["clinic"]', '["clinic", "ward"]'))
    c.take_in()
    c.sign()
    site = c.site(ME)
    assert agreements.plan_enforcement(site, c.folder).without_data == ("ward",)
    site.ledger.close()


def test_a_kept_agreement_that_was_changed_refuses_every_study(c):
    digest = c.agree().digest
    file = c.root / ME / "agreements" / digest / "agreement.toml"
    study = c.agreed_study("asked")
    file.write_bytes(file.read_bytes().replace(b'epsilon_study = "2"', b'epsilon_study = "3"'))
    (fault,) = whats(c, study)
    assert "it is another text than the one in force" in fault
    file.unlink()
    (gone,) = whats(c, study)
    assert "cannot be read" in gone
    site = c.site(ME)
    with pytest.raises(UnreadableError):
        agreements.kept(site, digest)
    site.ledger.close()


def test_a_party_that_nobody_telephoned_does_not_count(c):
    c.sign()
    site = c.site(ME)
    site.book.distrust(OTHER)
    plan = agreements.plan_enforcement(site, c.folder)
    assert plan.missing == (OTHER,)
    assert isinstance(plan.faults[OTHER], UntrustedError)
    site.ledger.close()


def test_new_keys_of_a_hospital_are_still_the_partys_that_signed(c):
    from securefl.node import rotation

    c.agree()
    site = c.site(THIRD)
    rotation.rotate_key(site, "2026-03-01T00:00:00Z")
    site.ledger.close()
    card = c.site(THIRD).identity.card
    for mine in (c.site(ME), c.site(OTHER), c.researcher):
        mine.book.trust(card)
    study = c.agreed_study("later")
    assert whats(c, study, ME) == []
    assert whats(c, study, THIRD) == []


def test_reviewing_reads_no_study_into_another_population(c):
    c.agree()
    other = c.agreed_study(
        "other", ('population = "clinic"', 'population = "ward"'), agreement=False
    )
    site = c.site(ME)
    whats_there = [f.what for f in review(site, other.sealed, now()).faults]
    site.ledger.close()
    assert not any("agreement" in what for what in whats_there)


def test_a_study_that_was_approved_before_an_amendment_does_not_start_after_it(c):
    c.edit(("signatures = 3", "signatures = 1"))
    c.agree()
    study = c.agreed_study("waits")
    c.approve(ME, study)
    site = c.site(ME)
    assert review_again(site, study.sealed, now()).faults_beside_budget == ()  # control
    site.ledger.close()
    next_version(c.folder)
    c.take_in()
    c.sign(ME)
    c.enforce(ME)
    site = c.site(ME)
    (fault,) = review_again(site, study.sealed, now()).faults_beside_budget
    site.ledger.close()
    assert "names another" in fault.what
