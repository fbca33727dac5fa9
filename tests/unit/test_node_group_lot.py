"""The lot for the groups at hospitals: a whole study by groups, and an exchanged commitment."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from in_process_federation import NINE, Room, grouped_study
from whole_study import WholeStudy

from securefl.boards.opening import open_board
from securefl.errors import RoundError
from securefl.federation.group_lot import GroupCommitment, commitments_on, lot_on, nonces_on
from securefl.federation.study_board import StudyBoard
from securefl.node.group_lot import FILE, GroupLot
from securefl.secagg.group_draw import commitment

PLAN = grouped_study()
CHEAT = NINE[4]


def test_nine_hospitals_train_by_groups_that_their_lot_drew(tmp_path, monkeypatch):
    names = tuple(f"H{n}" for n in range(9))
    edits = (
        ("min_contributors = 3", 'min_contributors = 3\ngroups = "median"'),
        ("rounds = 3", "rounds = 1"),
        ("steps = 3", "steps = 1"),
        ('epsilon = "1"\nnoise_multiplier', 'epsilon = "0.693"\nnoise_multiplier'),
    )
    study = WholeStudy(tmp_path, *edits, patch=monkeypatch, names=names)
    study.run()
    study.check_ends()
    study.check_models()
    assert set(nonces_on(study.consortium.lab.folder.board, study.study.plan)) == set(names)


class Hospitals:
    """Nine hospitals on one board that have all approved, each with its folder."""

    def __init__(self, root):
        self.root, self.room = root, Room(PLAN)
        self.board = open_board((root / "board").as_uri())
        self.lots = {name: self.started(name) for name in NINE}

    def started(self, name):
        """A hospital's part in the lot, as a process of its agent begins it."""
        site = SimpleNamespace(
            name=name,
            identity=self.room.identities[name],
            board=self.board,
            study_key=lambda _digest: self.room.study_keys[name],
        )
        return GroupLot(SimpleNamespace(site=site, plan=PLAN, folder=self.root / name))

    def step(self):
        return {name: one.drawn() for name, one in self.lots.items()}


@pytest.fixture
def hospitals(tmp_path):
    return Hospitals(tmp_path)


def test_a_nonce_is_shown_only_once_all_have_committed(hospitals):
    first, last = hospitals.lots[NINE[0]], NINE[-1]
    assert first.drawn() is None
    assert "has not committed" in first.waiting
    assert (len(commitments_on(hospitals.board, PLAN)), nonces_on(hospitals.board, PLAN)) == (1, {})
    hospitals.step()
    assert set(nonces_on(hospitals.board, PLAN)) == {last}  # it alone saw the last commitment
    hospitals.step()
    drawn = hospitals.step()
    groups = {lot.groups(3) for lot in drawn.values()}
    assert groups == {lot_on(hospitals.board, PLAN).groups(3)}  # the coordinator's too
    assert hospitals.started(NINE[0]).drawn() == drawn[NINE[0]]  # another process says the same


def exchange(hospitals):
    """A hospital that saw the others' nonces commits to another one of its own choice."""
    chosen = commitment(PLAN.digest, CHEAT, b"c" * 32).hex()
    said = GroupCommitment(PLAN.digest, CHEAT, chosen)
    slot = StudyBoard(hospitals.board, PLAN.digest).group_commitment(CHEAT)
    slot.post(said.dump(hospitals.room.identities[CHEAT].sign))
    return chosen


def test_a_commitment_exchanged_after_nonces_were_shown_ends_the_study(hospitals):
    hospitals.step()
    hospitals.lots[NINE[0]].drawn()
    exchange(hospitals)
    for hospital in (hospitals.lots[NINE[0]], hospitals.started(NINE[0])):
        with pytest.raises(RoundError, match="exchanged the commitment") as caught:
            hospital.drawn()
        assert caught.value.whose == CHEAT
    # the coordinator sees it too: nonces name the commitments that their hospitals saw
    hospitals.lots[CHEAT].drawn()
    with pytest.raises(RoundError, match="saw other commitments"):
        lot_on(hospitals.board, PLAN)


def test_control_a_hospital_that_noted_nothing_takes_the_exchanged_commitment(hospitals):
    hospitals.step()
    victim = NINE[0]
    hospitals.lots[victim].drawn()
    chosen = exchange(hospitals)
    (hospitals.root / victim / FILE).unlink()
    with pytest.raises(RoundError, match="showed its nonce for the groups before"):
        hospitals.started(victim).drawn()
    StudyBoard(hospitals.board, PLAN.digest).group_nonce(victim).erase()
    hospitals.started(victim).drawn()
    assert chosen in (hospitals.root / victim / FILE).read_text()
