"""The owner's decisions: one event each, one at a time, with figures where the budget says no."""

import threading

import pytest
from click.testing import CliRunner
from consortium import NAMES, Consortium

from securefl.boards.board import CarriedBoard
from securefl.cli.main import cli
from securefl.errors import BudgetError, NotApprovedError, SecureFLError, StoreError, UntrustedError
from securefl.federation import paths
from securefl.federation.messages import Status
from securefl.node import decisions, policy, published_approvals
from securefl.node.requests import find_kept
from securefl.party.outbox import deliver
from securefl.study.approval import open_approval

ME, OTHER, _ = NAMES


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


@pytest.fixture(scope="module")
def poor(tmp_path_factory):
    """A consortium whose budget pays for one study and no second one."""
    return Consortium(tmp_path_factory.mktemp("poor"), epsilon="1.6")


@pytest.fixture
def study(hospitals, request):
    made = hospitals.new_study("p" + str(abs(hash(request.node.name)))[:12])
    hospitals.hand_over(made, ME)
    return made


def key_file(c, study):
    return c.root / ME / "keys" / "studies" / f"{study.digest}.key"


def code(c, study):
    site = c.site(ME)
    data = site.board.read(paths.status(study.digest, ME), 4096)
    return (
        data
        and Status.open(data, study=study.digest, site=ME, verify=site.identity.card.verify).code
    )


def test_an_approval_is_signed_for_exactly_this_digest_and_names_the_studys_own_key(
    hospitals, study
):
    hospitals.approve(ME, study)
    site = hospitals.site(ME)
    signed = site.board.read(paths.approval(study.digest, ME), 4096)
    approval = open_approval(signed, site=ME, study=study.digest, verify=site.identity.card.verify)
    assert approval.study_key == site.study_key(study.digest).public_key().public_bytes_raw().hex()
    assert approval.study_key != site.identity.card.sealing_public
    assert key_file(hospitals, study).stat().st_mode & 0o777 == 0o600
    assert hospitals.status(ME, study) == "approved"


def test_an_approval_is_given_once(hospitals, study):
    hospitals.approve(ME, study)
    before = key_file(hospitals, study).read_bytes()
    with pytest.raises(NotApprovedError, match="decided here before"):
        hospitals.approve(ME, study)
    assert key_file(hospitals, study).read_bytes() == before


def test_two_approvals_at_once_leave_one_whole_approval(hospitals, study):
    """Two people press the key together: the loser must not replace the winner's key or statement."""
    done, errors = [], []

    def decide():
        try:
            done.append(hospitals.approve(ME, study))
        except SecureFLError as error:
            errors.append(error)

    threads = [threading.Thread(target=decide) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1
    assert {type(e) for e in errors} == {NotApprovedError}
    site = hospitals.site(ME)
    signed = published_approvals.kept_approval(site, study.digest)
    approval = open_approval(signed, site=ME, study=study.digest, verify=site.identity.card.verify)
    assert approval.study_key == site.study_key(study.digest).public_key().public_bytes_raw().hex()


def test_what_was_refused_is_not_approved_later(hospitals, study):
    site, found = hospitals.review(ME, study)
    decisions.refuse(site, found, "not our question: patient Miller")
    assert code(hospitals, study) == "not-approved"
    assert b"Miller" not in b"".join(hospitals.objects().values())
    with pytest.raises(NotApprovedError):
        hospitals.approve(ME, study)
    assert not key_file(hospitals, study).exists()


@pytest.mark.parametrize("damage", ["none", "old-schema", "no-toml", "gone"])
def test_a_request_that_cannot_be_reviewed_can_still_be_refused(hospitals, study, damage):
    """The digest alone is enough: a request that brings the review down must not stay open for
    good.
    """
    site = hospitals.site(ME)
    kept = find_kept(site, study.digest)
    file = site.study_folder(study.digest) / "study.toml"
    if damage == "gone":
        file.unlink()
    elif damage != "none":
        file.write_bytes(b"[[[" if damage == "no-toml" else study.text.replace(b"rounds", b"turns"))
    decisions.refuse(site, kept, "cannot be read")
    (event,) = [r for r in site.ledger.state.refusals if r.study == study.digest]
    assert (event.researcher, event.dataset) == (
        ("researcher", "records") if damage == "none" else ("unknown", "unknown")
    )
    assert site.ledger.state.declined(study.digest)
    assert code(hospitals, study) == "not-approved"


def test_refusing_runs_no_review_and_no_accountant(hospitals, study, monkeypatch):
    site = hospitals.site(ME)
    for name in ("review", "check_consistency", "PldAccountant"):
        monkeypatch.setattr(policy, name, lambda *_, **__: pytest.fail("a review was run"))
    result = CliRunner().invoke(
        cli, ["site", "refuse", study.digest, "--reason", "no", "--site", str(site.path)]
    )
    assert result.exit_code == 0, result.output
    assert hospitals.site(ME).ledger.state.declined(study.digest)


def test_a_request_with_a_fault_is_not_approved(hospitals, study):
    site = hospitals.site(ME)
    site.book.distrust(OTHER)
    try:
        with pytest.raises(UntrustedError, match=OTHER):
            hospitals.approve(ME, study)
    finally:
        site.book.trust(hospitals.site(OTHER).identity.card)
    assert hospitals.status(ME, study) is None
    assert not key_file(hospitals, study).exists()


def test_a_store_that_is_away_does_not_undo_an_approval(hospitals, study, monkeypatch):
    def away(*_):
        raise StoreError("The store is away.")

    with monkeypatch.context() as during:
        during.setattr(CarriedBoard, "post", away)
        hospitals.approve(ME, study)
    assert hospitals.status(ME, study) == "approved"
    site = hospitals.site(ME)
    assert site.board.read(paths.approval(study.digest, ME), 4096) is None
    deliver(site)
    assert site.board.read(
        paths.approval(study.digest, ME), 4096
    ) == published_approvals.kept_approval(site, study.digest)


def test_withdrawing_says_so_erases_the_key_and_frees_what_never_started(hospitals, study):
    hospitals.approve(ME, study)
    site = hospitals.site(ME)
    used = site.ledger.state.used("clinic")
    decisions.withdraw(site, study.digest, "patient Miller asked")
    assert code(hospitals, study) == "withdrawn"
    assert b"Miller" not in b"".join(hospitals.objects().values())
    assert not key_file(hospitals, study).exists()
    assert site.ledger.state.used("clinic") < used
    with pytest.raises(NotApprovedError):
        decisions.withdraw(site, study.digest, "")


def test_nobody_withdraws_from_what_was_never_approved(hospitals, study):
    with pytest.raises(NotApprovedError):
        decisions.withdraw(hospitals.site(ME), study.digest, "")
    assert code(hospitals, study) is None


def test_too_little_budget_is_refused_with_its_figures_and_noted(poor):
    first = poor.new_study("first")
    poor.hand_over(first, ME)
    poor.approve(ME, first)
    second = poor.new_study("second")
    poor.hand_over(second, ME)
    _, found = poor.review(ME, second)
    assert [f.code for f in found.faults] == ["budget"]
    with pytest.raises(BudgetError, match=r"%") as refused:
        poor.approve(ME, second)
    assert refused.value.next_step
    site = poor.site(ME)
    noted = [r for r in site.ledger.state.refusals if r.study == second.digest]
    assert [(r.reason, r.asked is not None, r.left is not None) for r in noted] == [
        ("budget", True, True)
    ]
    assert poor.status(ME, second) is None
    assert not key_file(poor, second).exists()
    assert not published_approvals.approval_file(site, second.digest).exists()
    assert site.board.read(paths.approval(second.digest, ME), 4096) is None


def test_a_budget_that_was_full_and_is_free_again_can_be_used(poor):
    """A withdrawn study that never started costs nothing, so the one that was too dear fits now."""
    site = poor.site(ME)
    first = next(d for d, s in site.ledger.state.studies.items() if s.status == "approved")
    decisions.withdraw(site, first, "")
    second = next(s for s in poor.lab.studies() if s.name.startswith("second"))
    poor.approve(ME, second)
    assert poor.status(ME, second) == "approved"
