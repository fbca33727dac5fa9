"""A restored, cut or rewritten ledger: the hospital would use an approval twice. The others'
checkpoints stop it.

The controls are the same restored ledger without the others' word: its chain is sound, and it would
start again.
"""

import shutil
from dataclasses import replace

import pytest
from checkpoint_hospitals import approved, hand, three_hospitals
from click.testing import CliRunner
from ledger_site import digest

from securefl.cli.audit import audit
from securefl.errors import LedgerAlteredError, MessageError, UnreadableError, UntrustedError
from securefl.federation import checkpoints as said
from securefl.identity import read_card
from securefl.node import checkpoints
from securefl.node.answered import Answered
from securefl.node.checkpoints import Question, answer_questions, collect, hand_out, kept_path
from securefl.node.holders import excuse
from securefl.node.rotation import rotate_key
from securefl.node.site import Site
from securefl.privacy.ledger import Checkpoint, read_checkpoint, read_ledger
from securefl.signed import dump_signed

COHORT = ("A", "B", "C")


@pytest.fixture
def restored(tmp_path):
    """A used an approval and handed out checkpoints; then its folder was put back to what it was
    before.
    """
    sites = three_hospitals(tmp_path)
    approved(sites["A"])
    sites["A"].ledger.close()
    shutil.copytree(tmp_path / "A", tmp_path / "backup")
    sites["A"] = Site.at(tmp_path / "A")
    sites["A"].ledger.start(digest(1))
    hand_out(sites["A"], digest(1), COHORT)
    for name in ("B", "C"):
        assert collect(sites[name], digest(1), COHORT) == []
    sites["A"].ledger.close()
    shutil.rmtree(tmp_path / "A")
    shutil.copytree(tmp_path / "backup", tmp_path / "A")
    return {**sites, "A": Site.at(tmp_path / "A")}


def test_a_restored_hospital_runs_nothing_once_one_of_the_others_has_spoken(restored):
    question = Question(lambda _: None)
    question.turn(restored["A"])
    assert not question.agreed(restored["A"], COHORT)
    answer_questions(restored["B"], Answered(restored["B"].path))
    with pytest.raises(LedgerAlteredError, match="B holds a checkpoint"):
        question.turn(restored["A"])


def test_the_checkpoint_comes_back_as_a_file_that_an_audit_takes(restored):
    question = Question(lambda _: None)
    question.turn(restored["A"])
    answer_questions(restored["C"], Answered(restored["C"].path))
    with pytest.raises(LedgerAlteredError):
        question.turn(restored["A"])
    card = restored["A"].identity.card
    for file in (
        restored["A"].path / "checkpoints" / "returned" / "C",
        kept_path(restored["B"], "A"),
    ):
        held = read_checkpoint(file.read_bytes(), site="A", verify=card.verify)
        assert "held elsewhere" in str(
            read_ledger(restored["A"].ledger_path, card.verify, held).fault
        )


def test_control_alone_the_restored_ledger_is_sound_and_would_start_again(restored):
    assert read_ledger(restored["A"].ledger_path, restored["A"].identity.card.verify).fault is None
    restored["A"].ledger.start(digest(1))


def test_a_store_that_plays_back_an_old_answer_gains_nothing(restored):
    site, other = restored["A"], restored["B"]
    kept_path(other, "A").unlink()  # as it was before the study: B held nothing, and said so
    early = Question(lambda _: None)
    early.turn(site)
    answer_questions(other, Answered(other.path))
    old_answer = site.board.read(said.held_path("A", "B"), said.MAX_SEALED)
    early.turn(site)
    assert early.agreed(site, ("A", "B"))
    late = Question(lambda _: None)  # the agent after the restore asks with another number
    late.turn(site)
    site.board.post(said.held_path("A", "B"), old_answer)
    late.turn(site)
    assert not late.agreed(site, ("A", "B"))


def test_a_store_that_withholds_answers_stops_the_study_but_lets_nothing_run(restored):
    question = Question(lambda _: None)
    for _ in range(3):
        question.turn(restored["A"])
    assert not question.agreed(restored["A"], COHORT)


def test_nobody_can_stop_a_hospital_with_an_invented_checkpoint(tmp_path):
    sites = three_hospitals(tmp_path)
    question = Question(lambda _: None)
    question.turn(sites["A"])
    forged = said.Held("B", "A", question.nonce, sites["B"].ledger.checkpoint()).dump(
        sites["B"].identity.sign
    )
    sites["A"].board.post(
        said.held_path("A", "B"), sites["A"].identity.card.seal(forged, said.held_info("A", "B"))
    )
    sites["A"].board.post(said.held_path("A", "C"), b"x" * (said.MAX_SEALED + 1))
    question.turn(sites["A"])
    assert not question.agreed(sites["A"], ("A", "B"))


def test_the_store_learns_nothing_about_the_number_of_events(restored):
    sealed = restored["A"].board.read(said.handed_path(digest(1), "A", "B"), said.MAX_SEALED)
    assert b"size" not in sealed
    again = said.handed_path(digest(1), "A", "C")
    assert abs(len(restored["A"].board.read(again, said.MAX_SEALED)) - len(sealed)) == 0


def changed_keys(sites):
    """A changes its keys after the restore, and the others trust its new card."""
    rotate_key(sites["A"], "2026-11-24T12:00:00Z")
    sites["A"].ledger.close()
    new = Site.at(sites["A"].path)
    for name in ("B", "C"):
        sites[name].book.trust(read_card(new.identity.signed_card()))
    return new


@pytest.fixture
def washed(restored):
    """The study had not started in the backup; A leaves it and changes its keys, as if that made a
    new beginning.
    """
    restored["A"].ledger.withdraw(digest(1))
    return {**restored, "A": changed_keys(restored)}


def test_new_keys_do_not_wash_a_restored_ledger_clean(washed):
    question = Question(lambda _: None)
    question.turn(washed["A"])
    answer_questions(washed["B"], Answered(washed["B"].path))
    with pytest.raises(LedgerAlteredError, match="B holds a checkpoint"):
        question.turn(washed["A"])


def test_control_a_partner_that_answers_only_what_the_new_key_signed_would_say_nothing(
    washed, monkeypatch
):
    def by_the_new_key(site, name):
        try:
            return (
                read_checkpoint(
                    kept_path(site, name).read_bytes(),
                    site=name,
                    verify=site.book.cards()[name].verify,
                )
                and b"x"
            )
        except MessageError:
            return None

    monkeypatch.setattr(checkpoints, "_stored", by_the_new_key)
    question = Question(lambda _: None)
    question.turn(washed["A"])
    answer_questions(washed["B"], Answered(washed["B"].path))
    question.turn(washed["A"])
    assert question.agreed(washed["A"], ("A", "B"))


def test_an_honest_change_of_keys_agrees_with_what_the_others_hold_from_before(tmp_path):
    sites = three_hospitals(tmp_path)
    approved(sites["A"])
    sites["A"].ledger.start(digest(1))
    hand_out(sites["A"], digest(1), COHORT)
    assert collect(sites["B"], digest(1), COHORT) == []
    sites["A"].ledger.settle(digest(1), "completed")
    sites["A"] = changed_keys(sites)
    question = Question(lambda _: None)
    question.turn(sites["A"])
    for name in ("B", "C"):
        answer_questions(sites[name], Answered(sites[name].path))
    question.turn(sites["A"])
    assert question.agreed(sites["A"], COHORT)
    assert audited(sites["A"].path).exit_code == 0


def test_the_old_key_hands_out_no_checkpoint_once_the_new_card_is_trusted(tmp_path):
    """Whoever stole the old key could otherwise stop the hospital with a checkpoint of events that
    never were.
    """
    sites = three_hospitals(tmp_path)
    old = sites["A"].identity
    changed_keys(sites)
    forged = Checkpoint("A", 10_000, "ab" * 32).dump(old.sign)
    hand(sites["A"], sites["B"], forged, sign=old.sign)
    collect(sites["B"], digest(1), COHORT)
    assert not kept_path(sites["B"], "A").exists()


def bare(site):
    """This hospital's card with the same keys, by their owner, but without the earlier ones."""
    card = replace(site.identity.card, earlier=())
    return read_card(dump_signed({"type": "securefl-card/1", **card.fields()}, site.identity.sign))


def test_a_card_that_leaves_the_old_key_out_makes_no_partner_forget(washed):
    card = bare(washed["A"])
    with pytest.raises(UntrustedError, match="leaves out earlier keys"):
        washed["B"].book.trust(card)
    # taken off the list and trusted anew: what is held stays, and its owner's ledger can read it
    washed["B"].book.distrust("A")
    washed["B"].book.trust(card)
    before = kept_path(washed["B"], "A").read_bytes()
    hand_out(washed["A"], digest(2), COHORT)
    (line,) = collect(washed["B"], digest(2), COHORT)
    assert "by no key that A's present card names" in line
    assert kept_path(washed["B"], "A").read_bytes() == before
    question = Question(lambda _: None)
    question.turn(washed["A"])
    answer_questions(washed["B"], Answered(washed["B"].path))
    with pytest.raises(LedgerAlteredError, match="B holds a checkpoint"):
        question.turn(washed["A"])


def test_control_a_partner_that_calls_unreadable_nothing_forgets_and_overwrites(
    washed, monkeypatch
):
    real = checkpoints.kept

    def forgetful(site, card):
        try:
            return real(site, card)
        except UnreadableError:
            return None

    monkeypatch.setattr(checkpoints, "kept", forgetful)
    washed["B"].book.distrust("A")
    washed["B"].book.trust(bare(washed["A"]))
    hand_out(washed["A"], digest(2), ("A", "B"))
    assert collect(washed["B"], digest(2), COHORT) == []
    question = Question(lambda _: None)
    question.turn(washed["A"])
    answer_questions(washed["B"], Answered(washed["B"].path))
    question.turn(washed["A"])
    assert question.agreed(washed["A"], ("A", "B"))


def forged_before_the_change(tmp_path, size=10_000):
    """A thief of A's key hands B a checkpoint of events that never were; then A changes its keys,
    and asks.
    """
    sites = three_hospitals(tmp_path)
    forged = Checkpoint("A", size, "ab" * 32).dump(sites["A"].identity.sign)
    hand(sites["A"], sites["B"], forged)
    assert collect(sites["B"], digest(1), COHORT) == []
    assert kept_path(sites["B"], "A").read_bytes() == forged
    sites["A"] = changed_keys(sites)
    lines = []
    question = Question(lines.append)
    question.turn(sites["A"])
    answer_questions(sites["B"], Answered(sites["B"].path))
    return sites, question, lines


def test_a_checkpoint_forged_with_the_stolen_key_does_not_outlive_the_key(tmp_path):
    sites, question, lines = forged_before_the_change(tmp_path)
    end = sites["A"].ledger.size
    for _ in range(2):
        question.turn(sites["A"])
    (line,) = lines
    assert f"a key of A that was replaced at event {end}" in line
    assert (
        "telephone B, have it move its file checkpoints/A away, and start this agent again" in line
    )
    assert not question.agreed(
        sites["A"], ("A", "B")
    )  # it could be the word of a ledger that was put back
    # an audit cannot tell either, and does not say "intact" until the owner has found out
    returned = sites["A"].path / "checkpoints" / "returned"
    assert audited(sites["A"].path).exit_code == 0  # control
    returned.mkdir(parents=True)
    (returned / "B").write_bytes(kept_path(sites["B"], "A").read_bytes())
    found = audited(sites["A"].path)
    assert (found.exit_code, "Not counted: " in found.output, "Intact: " in found.output) == (
        3,
        True,
        False,
    )
    (returned / "B").unlink()
    assert audited(sites["A"].path).exit_code == 0
    found = audited(sites["A"].path, "--checkpoint", str(kept_path(sites["B"], "A")))
    assert (found.exit_code, "does not count" in str(found.exception)) == (1, True)
    # as the line says: B's owner moves it away, and the next run's question is answered with
    # nothing
    kept_path(sites["B"], "A").unlink()
    assert asked_again(sites, "B").agreed(sites["A"], ("A", "B"))


def asked_again(sites, *partners, say=lambda _: None):
    """A new run of A's agent, after these have answered it."""
    question = Question(say)
    question.turn(sites["A"])
    for name in partners:
        answer_questions(sites[name], Answered(sites[name].path))
    question.turn(sites["A"])
    return question


@pytest.fixture
def outgrown(tmp_path):
    """A's folder is put back, and its keys are changed at a row that the checkpoints of B and C are
    already beyond.
    """
    sites = three_hospitals(tmp_path)
    sites["A"].ledger.close()
    shutil.copytree(tmp_path / "A", tmp_path / "backup")
    sites["A"] = Site.at(tmp_path / "A")
    approved(sites["A"])
    sites["A"].ledger.start(digest(1))
    hand_out(sites["A"], digest(1), COHORT)
    for name in ("B", "C"):
        assert collect(sites[name], digest(1), COHORT) == []
    sites["A"].ledger.close()
    shutil.rmtree(tmp_path / "A")
    shutil.copytree(tmp_path / "backup", tmp_path / "A")
    sites["A"] = Site.at(tmp_path / "A")
    sites["A"] = changed_keys(sites)
    return sites


def test_a_genuine_checkpoint_from_beyond_the_change_of_keys_starts_nothing(outgrown):
    lines = []
    question = asked_again(outgrown, "B", "C", say=lines.append)
    assert len(lines) == 2
    assert all("Was this hospital's folder ever put back from a backup?" in line for line in lines)
    for cohort in (COHORT, ("A", "B"), ("A", "C")):
        assert not question.agreed(outgrown["A"], cohort)
    excuse(outgrown["A"], "B", "2026-11-24T12:00:00Z")
    assert not question.agreed(outgrown["A"], ("A", "B"))  # who takes part cannot be excused


def test_one_that_gives_back_what_the_ledger_does_not_know_is_not_the_one_that_may_be_silent(
    outgrown,
):
    kept_path(outgrown["B"], "A").unlink()
    question = asked_again(outgrown, "B", "C")
    assert not question.agreed(outgrown["A"], ("A", "B"))
    excuse(
        outgrown["A"], "C", "2026-11-24T12:00:00Z"
    )  # `site checkpoint C --without`: its owner has settled it
    assert question.agreed(outgrown["A"], ("A", "B"))


def test_control_counted_as_no_checkpoint_it_lets_the_budget_be_spent_again(outgrown, monkeypatch):
    real = type(outgrown["A"].ledger).read_own

    def lenient(ledger, data):
        try:
            return real(ledger, data)
        except UntrustedError:
            return None

    monkeypatch.setattr(type(outgrown["A"].ledger), "read_own", lenient)
    question = asked_again(outgrown, "B", "C")
    assert question.agreed(outgrown["A"], COHORT)
    approved(outgrown["A"])
    outgrown["A"].ledger.start(digest(1))


def test_control_read_by_any_key_of_the_ledger_it_stops_the_hospital_for_good(
    tmp_path, monkeypatch
):
    sites, question, _ = forged_before_the_change(tmp_path)
    cards = sites["A"].identity.card
    monkeypatch.setattr(
        type(sites["A"].ledger),
        "read_own",
        lambda _, data: read_checkpoint(data, site="A", verify=cards.verify_ever),
    )
    with pytest.raises(LedgerAlteredError, match="10000 events"):
        question.turn(sites["A"])


def test_what_remains_a_head_forged_at_a_number_that_the_old_key_did_sign_stops_it(tmp_path):
    """The threat model says so: from a signature alone it cannot be told from the word of a ledger
    that was rewritten.
    """
    sites, question, _ = forged_before_the_change(tmp_path, size=3)
    with pytest.raises(LedgerAlteredError, match="3 events"):
        question.turn(sites["A"])


def test_a_partner_with_the_stolen_key_does_not_stop_the_hospital_after_the_change(tmp_path):
    sites = three_hospitals(tmp_path)
    old = sites["A"].identity
    sites["A"] = changed_keys(sites)
    question = Question(lambda _: None)
    question.turn(sites["A"])
    forged = Checkpoint("A", sites["A"].ledger.size, "ab" * 32).dump(
        old.sign
    )  # the very row in which the key ended
    answer = said.Held("B", "A", question.nonce, forged).dump(sites["B"].identity.sign)
    sites["B"].board.post(
        said.held_path("A", "B"), sites["A"].identity.card.seal(answer, said.held_info("A", "B"))
    )
    question.turn(sites["A"])
    assert not (sites["A"].path / "checkpoints" / "returned" / "B").exists()


def audited(path, *arguments):
    return CliRunner().invoke(audit, ["--site", str(path), "--verify", *arguments])


def test_the_audit_command_finds_the_restored_ledger_with_the_file_that_another_hospital_kept(
    restored,
):
    path = restored["A"].path
    assert audited(path).exit_code == 0  # control: alone it is sound
    found = audited(path, "--checkpoint", str(kept_path(restored["B"], "A")))
    assert found.exit_code == 3
    assert "ALTERED" in found.output
    assert "held elsewhere" in " ".join(found.output.split())


def test_what_came_back_to_the_agent_is_held_against_the_ledger_by_itself(restored):
    question = Question(lambda _: None)
    question.turn(restored["A"])
    answer_questions(restored["B"], Answered(restored["B"].path))
    with pytest.raises(LedgerAlteredError):
        question.turn(restored["A"])
    (restored["A"].path / "checkpoints" / "returned" / "X").write_bytes(b"half written")
    assert audited(restored["A"].path).exit_code == 3


def test_an_intact_ledger_says_so_in_one_line(restored):
    found = audited(restored["B"].path)
    assert found.exit_code == 0
    assert found.output.startswith("Intact: ")
