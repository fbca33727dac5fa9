"""Attacks on an agreement that is in force, each with a control that shows what it would gain."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from agreed_consortium import AgreedConsortium
from consortium import NAMES

from securefl.agreement.article import Case
from securefl.agreement.checking import check_study
from securefl.agreement.sealed import SealedAgreement
from securefl.agreement.signatures import AgreementSignature
from securefl.errors import NotApprovedError, SecureFLError, UsageError
from securefl.identity import Identity
from securefl.node import agreements
from securefl.party.consortium import AGREEMENT
from securefl.party.consortium_drafts import next_version

ME, OTHER, THIRD = NAMES
AT = "2026-03-01T00:00:00Z"
LAXER = ('epsilon_study = "2"', 'epsilon_study = "4"')


@pytest.fixture
def c(tmp_path):
    return AgreedConsortium(tmp_path)


def planned(c, name=ME):
    site = c.site(name)
    try:
        return agreements.plan_enforcement(site, c.folder)
    finally:
        site.ledger.close()


def in_force(c, name=ME):
    site = c.site(name)
    try:
        return agreements.in_force(site, datetime.now(UTC))
    finally:
        site.ledger.close()


def test_an_article_that_was_changed_after_signing_has_no_signatures(c):
    c.sign()
    assert planned(c).missing == ()  # control: unchanged it would come into force
    c.edit(LAXER)
    plan = planned(c)
    assert set(plan.missing) == {*NAMES, "researcher", "sums"}
    assert all("about another agreement" in fault.what for fault in plan.faults.values())
    with pytest.raises(NotApprovedError):
        c.enforce(ME)
    assert in_force(c) == {}


def test_a_signature_of_another_version_does_not_count(c):
    first = c.sign()
    old = c.folder.signature_file(OTHER).read_bytes()
    next_version(c.folder)
    c.edit(LAXER)
    c.take_in()
    second = c.sign()
    assert second.digest != first.digest
    assert planned(c).missing == ()  # control: with its own signature
    c.folder.signature_file(OTHER).write_bytes(old)
    plan = planned(c)
    assert plan.missing == (OTHER,)
    assert "about another agreement" in plan.faults[OTHER].what


def test_a_signature_by_a_key_that_is_not_on_the_own_list_does_not_count(c):
    sealed = c.sign()
    stranger = Identity.generate(OTHER, "hospital", f"Hospital {OTHER}", "someone@example.org")
    genuine = c.folder.signature_file(OTHER).read_bytes()
    forged = AgreementSignature(sealed.digest, OTHER, AT).dump(stranger.sign)
    c.folder.signature_file(OTHER).write_bytes(forged)
    plan = planned(c)
    assert plan.missing == (OTHER,)
    assert "is not by the key that is trusted here" in plan.faults[OTHER].what
    c.folder.signature_file(OTHER).write_bytes(genuine)
    assert planned(c).missing == ()  # control: the genuine one


def test_an_agreement_that_brings_its_own_keys_for_a_party_is_not_taken(c):
    stranger = Identity.generate(OTHER, "hospital", f"Hospital {OTHER}", "someone@example.org")
    text = c.folder.path / AGREEMENT
    true = c.site(OTHER).identity.card
    changed = text.read_text().replace(true.signing_public, stranger.card.signing_public)
    text.write_text(changed.replace(true.sealing_public, stranger.card.sealing_public))
    sealed = c.folder.sealed()
    c.sign(ME, THIRD, "researcher", "sums")
    signed = AgreementSignature(sealed.digest, OTHER, AT).dump(stranger.sign)
    c.folder.signature_file(OTHER).write_bytes(signed)
    plan = planned(c)
    assert plan.missing == (OTHER,)
    assert "names other keys" in plan.faults[OTHER].what
    # control: a reader who had trusted the stranger's card would hold to it
    site = c.site(ME)
    site.book.distrust(OTHER)
    site.book.trust(stranger.card)
    site.ledger.close()
    assert planned(c).missing == ()


def test_an_older_version_does_not_come_back_after_an_amendment(c):
    c.edit(('epsilon_study = "2"', 'epsilon_study = "3"'))
    first = c.agree()
    aside = next_version(c.folder)
    c.edit(('epsilon_study = "3"', 'epsilon_study = "0.5"'))
    c.take_in()
    second = c.agree()
    assert in_force(c) == {"clinic": second.digest}
    c.folder = aside  # the laxer version, with all its genuine signatures
    with pytest.raises(UsageError, match="none comes back"):
        planned(c)
    assert in_force(c) == {"clinic": second.digest}
    # control: a machine that never saw the second version has no reason to refuse the first
    (c.root / "elsewhere").mkdir()
    fresh = AgreedConsortium(c.root / "elsewhere", ('epsilon_study = "2"', 'epsilon_study = "3"'))
    fresh.agree()
    assert first.agreement.privacy == fresh.folder.sealed().agreement.privacy


def test_a_kept_agreement_with_another_text_does_not_loosen_what_is_in_force(c):
    c.edit(('epsilon_study = "2"', 'epsilon_study = "0.9"'))
    digest = c.agree().digest
    file = c.root / ME / "agreements" / digest / AGREEMENT
    laxer = file.read_bytes().replace(b'epsilon_study = "0.9"', b'epsilon_study = "2"')
    file.write_bytes(laxer)
    study = c.agreed_study("asked", agreement=False)
    text = study.text.decode().replace("\n", f'\nagreement = "{digest}"\n', 1).encode()
    site, found = c.review(ME, study, text)
    site.ledger.close()
    assert any("another text than the one in force" in f.what for f in found.faults)
    # control: by that text the study would pass
    case = Case(SealedAgreement.read(laxer).agreement, found.study, datetime.now(UTC))
    assert check_study(case) == ()


def test_a_majority_does_not_change_what_another_hospitals_machine_holds(c):
    c.edit(("signatures = 3", "signatures = 2"))
    first = c.agree()
    next_version(c.folder)
    c.edit(LAXER)
    c.take_in()
    c.sign(OTHER, THIRD, "researcher", "sums")
    c.enforce(OTHER)  # control: whoever signed goes over
    with pytest.raises(SecureFLError, match=f"Still to sign: {ME}"):
        c.enforce(ME)
    assert in_force(c) == {"clinic": first.digest}


def test_a_researcher_who_asks_without_the_own_check_gets_no_model_below_the_figure(c):
    """Article 14: its program is told to send the model on whatever the figure is."""
    c.edit(('# [release.minimum]\n# binary = "0.6"', '[release.minimum]\nbinary = "0.6"'))
    digest = c.agree().digest

    def refused(name, *edits):
        study = c.agreed_study(name, *edits, agreement=False)
        text = study.text.decode().replace("\n", f'\nagreement = "{digest}"\n', 1).encode()
        site, found = c.review(ME, study, text)
        site.ledger.close()
        return [fault.what for fault in found.faults if "Article 14" in fault.what]

    higher = ('minimum = "0"', 'minimum = "0.6"')
    kept_back = ('stop_rule = "none"', 'stop_rule = "withhold"')
    assert len(refused("lower", kept_back)) == 1
    assert len(refused("anyway", higher)) == 1
    assert refused("agreed", higher, kept_back) == []  # control: what the parties agreed on
    # and what such a study withholds, every hospital refuses: tests/attack/test_model_home.py
