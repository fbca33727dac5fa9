"""What the others signed about a study, as a hospital may believe it: a no of theirs, and nobody
else's, ends it for this hospital.
"""

import json

import pytest
from click.testing import CliRunner
from conftest import fixed_identity
from consortium import NAMES, Consortium

from securefl.cli.main import cli
from securefl.errors import NotApprovedError, StoreError
from securefl.federation import paths
from securefl.federation.messages import End, Status
from securefl.node import other_studies
from securefl.node.other_studies import look_around
from securefl.report.codes import UNSEEN

ME, OTHER, THIRD = NAMES


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("others"))


@pytest.fixture
def study(c, request):
    made = c.new_study(f"s{abs(hash(request.node.name)) % 10**9}")
    for name in NAMES:
        c.hand_over(made, name)
    return made


def seen(c, study):
    site = c.site(ME)
    try:
        return look_around(site, study.file, study.digest)
    finally:
        site.ledger.close()


def say_no(c, name, study, code="not-approved", *, sign=None):
    site = c.site(name)
    site.board.post(
        paths.status(study.digest, name),
        Status(study.digest, name, 0, code).dump(sign or site.identity.sign),
    )


def typed(c, *words):
    done = CliRunner().invoke(cli, ["site", *words, "--site", str(c.root / ME)])
    return done, " ".join(done.output.split())


def test_nobody_said_anything_yet(c, study):
    found = seen(c, study)
    assert (found.approved, sorted(found.waiting), found.ended) == ((), sorted([OTHER, THIRD]), {})
    found.check_open()


def test_an_approval_of_another_is_seen_and_a_forged_one_is_not(c, study):
    c.approve(OTHER, study)
    assert seen(c, study).approved == (OTHER,)
    data = c.lab.folder.board.read(paths.approval(study.digest, OTHER), 4096)
    c.lab.folder.board.post(paths.approval(study.digest, THIRD), data)
    assert seen(c, study).waiting == (THIRD,)


def test_a_study_that_another_refused_cannot_be_approved_and_says_who(c, study):
    say_no(c, OTHER, study)
    _, out = typed(c, "inbox")
    assert f"It cannot run any more: {OTHER} refused, or its approval does not hold." in out
    _, out = typed(c, "review", study.name)
    assert "It cannot be approved as it stands: 1 fault" in out
    assert "The decision is yours" not in out
    before = c.state(ME, study)
    done, _ = typed(c, "approve", study.name, "--yes")
    assert isinstance(done.exception, NotApprovedError)
    assert (
        done.exception.what
        == f"It cannot run any more: {OTHER} refused, or its approval does not hold. An approval"
        " would reserve budget for nothing."
    )
    assert done.exception.whose == OTHER
    assert c.state(ME, study) == before
    done, out = typed(c, "refuse", study.name, "--reason", "no use")
    assert done.exit_code == 0


def test_one_that_was_approved_here_before_says_so_too(c, study):
    c.approve(ME, study)
    say_no(c, THIRD, study, "withdrawn")
    _, out = typed(c, "inbox")
    assert f"It cannot run any more: {THIRD} withdrew." in out
    _, out = typed(c, "review", study.name)
    assert f"It cannot run any more: {THIRD} withdrew." in out


def test_a_no_that_somebody_else_signed_is_none(c, study):
    stranger = fixed_identity("stranger", "hospital")
    say_no(c, OTHER, study, sign=stranger.sign)
    assert seen(c, study).ended == {}
    # control: the same words by the hospital's own key count
    say_no(c, OTHER, study)
    assert seen(c, study).ended == {OTHER: "not-approved"}


def test_a_hospital_that_is_not_in_this_hospitals_list_ends_nothing(c, study):
    """A researcher could invent a hospital, and its no."""
    say_no(c, OTHER, study)
    site = c.site(ME)
    site.book.distrust(OTHER)
    try:
        found = look_around(site, study.file, study.digest)
        assert (found.ended, OTHER in found.waiting) == ({}, True)
    finally:
        site.book.trust(c.site(OTHER).identity.card)
        site.ledger.close()


def test_an_end_by_the_researcher_is_named(c, study):
    store, me = c.lab.folder.board, c.lab.folder.identity
    store.post(paths.ending(study.digest), End(study.digest, "round", 0).dump(me.sign))
    assert seen(c, study).ended == {"researcher": "round"}
    store.post(
        paths.ending(study.digest), End(study.digest, "round", 0).dump(c.site(OTHER).identity.sign)
    )
    assert seen(c, study).ended == {}


def test_a_store_that_does_not_answer_is_said_and_stops_no_reading(c, study, monkeypatch):
    def away(*_):
        raise StoreError("away")

    monkeypatch.setattr(other_studies, "status_of", away)
    _, out = typed(c, "review", study.name)
    assert UNSEEN in out
    assert "The decision is yours" in out
    _, out = typed(c, "inbox")
    assert UNSEEN in out


def test_the_inbox_shows_titles_behind_a_bar_and_tells_programs_the_same(c, study):
    done, _ = typed(c, "inbox")
    lines = done.output.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(study.name))
    assert lines[at + 1] == f"  │ {study.file.study.title}"
    assert "waiting" in lines[at]
    done, _ = typed(c, "inbox", "--json", "-")
    (row,) = (r for r in json.loads(done.output)["requests"] if r["id"] == study.name)
    assert row["others"] == "No other hospital has approved yet."


def test_a_decision_needs_more_than_the_beginning_of_a_name(c, study):
    done, _ = typed(c, "approve", study.file.study.id[:-2], "--yes")
    assert done.exception.what.startswith(
        f"No request fits '{study.file.study.id[:-2]}'. It begins the name of: "
    )
    assert study.name in done.exception.what
    assert "six digits or more of the digest" in done.exception.next_step
    assert c.state(ME, study) is None
    done, out = typed(c, "approve", study.digest[:8], "--yes")
    assert f"Approved {study.name}" in out


def test_the_words_are_the_studys_own_and_not_those_that_came_beside_it(c, study):
    """The name of the sender is not in the digest: it stands on the page as who delivered, and
    moves nothing else.
    """
    site = c.site(ME)
    file = site.study_folder(study.digest) / "request.json"
    kept = json.loads(file.read_bytes())
    before, _ = typed(c, "review", study.name)
    forged = {**kept, "title": "FORGED", "sender": "mallory@securefl.invalid"}
    c.rewrite_request(ME, study, json.dumps(forged))
    after, _ = typed(c, "review", study.name)
    changed = [
        b
        for a, b in zip(before.output.splitlines(), after.output.splitlines(), strict=False)
        if a != b
    ]
    assert changed[0].split()[:3] == ["delivered", "by", "mallory@securefl.invalid"]
    assert "NOT the researcher whom the study names" in " ".join(after.output.split())
    assert "FORGED" not in after.output
    site.ledger.close()
