"""A hospital's folder copied after its approval (a clone, a standby), and both copies run: their
keys, ledger and study key are equal.

Two payloads under equal masks differ by the difference of what they hide, to whoever holds the
round's CKKS key. The nonces of the two runs keep the masks apart, and each copy stops as soon as it
sees the other's word in its own place.
"""

import dataclasses
import hashlib
import shutil

import numpy as np
import pytest
from consortium import NAMES, Consortium
from in_process_federation import INSTANCES, Room, announced_context, in_memory
from running_study import AGREED, study_scene
from secagg_round import make_facts
from secagg_whole import pairwise_mask

from securefl.boards.board import CarriedBoard
from securefl.errors import TwoCopiesError
from securefl.federation import paths
from securefl.federation.hospital_keys import pair_secrets
from securefl.node.entering import Entering
from securefl.node.site import Site
from securefl.node.study_run import StudyRun
from securefl.secagg.layouts import layout_for
from securefl.secagg.own_place import manifest_limit, other_contribution

ME, OTHER, THIRD = NAMES


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


@pytest.fixture
def scene(hospitals, request):
    yield from study_scene(hospitals, request)


@pytest.fixture
def copy(scene, tmp_path):
    """Another agent's run of the same study on a copy of the folder, as it is when this is asked
    for.
    """
    made = []

    def start():
        folder = tmp_path / "copy"
        shutil.copytree(scene.site.path, folder)
        run = scene.run
        made.append(
            StudyRun(
                dataclasses.replace(run.own, site=Site.at(folder)),
                AGREED,
                door=run.door,
                settle_seconds=0.0,
            )
        )
        return made[-1]

    yield start
    for run in made:
        run.own.site.ledger.close()


def masks_of(room, site, facts):
    secrets = pair_secrets(room.plan, site, room.study_keys[site], room.approvals)
    return pairwise_mask(site, secrets, facts)


def test_masks_of_two_copies_never_meet_whatever_the_coordinator_announces():
    room = Room()
    me = room.plan.study.cohort[0]
    one, two = (
        announced_context(
            room.plan, room.announce(instances={**INSTANCES, me: nonce * 64})[1].announcement
        )
        for nonce in "cd"
    )
    same = dataclasses.replace(
        two, public_key_sha256=one.public_key_sha256, model_sha256=one.model_sha256
    )
    assert same.instances != one.instances
    assert not np.array_equal(masks_of(room, me, one), masks_of(room, me, same))


def test_control_without_the_nonces_both_copies_mask_alike_and_the_difference_is_bare():
    room = Room()
    me = room.plan.study.cohort[0]
    told = [
        announced_context(
            room.plan, room.announce(instances={**INSTANCES, me: nonce * 64})[1].announcement
        )
        for nonce in "cd"
    ]
    bare = [
        dataclasses.replace(
            f,
            instances=("0" * 64,) * len(f.cohort),
            public_key_sha256=told[0].public_key_sha256,
            model_sha256=told[0].model_sha256,
        )
        for f in told
    ]
    assert np.array_equal(*(masks_of(room, me, facts) for facts in bare))


def test_of_two_copies_one_answers_a_round_at_most():
    """The coordinator names one run; the other refuses before anything is trained or masked."""
    room = Room()
    me = room.plan.study.cohort[0]
    given = room.announce()[1]
    assert room.participant(me, keeper=in_memory).answer(given).read()
    trained = len(room.hospitals[me].produced)
    with pytest.raises(TwoCopiesError):
        room.participant(me, keeper=in_memory, instance="c" * 64).answer(given)
    assert len(room.hospitals[me].produced) == trained


def begin(scene, run):
    """What :meth:`Scene.wait` does, for another run."""
    run.step()
    scene.clock.now += 1.0
    return run.step()


def several_steps(scene, run):
    for _ in range(4):
        begin(scene, run)


def test_two_agents_on_a_copied_folder_stop_before_anybody_is_charged(scene, copy):
    scene.others_approve()
    other = copy()
    scene.wait()
    begin(scene, other)
    scene.call()
    scene.wait()
    assert scene.ready().instance == scene.run.entering.instances.mine
    with pytest.raises(TwoCopiesError, match="it said that it is ready"):
        begin(scene, other)
    assert not scene.ledger_says.started
    assert not other.own.site.ledger.state.study(scene.study.digest).started
    assert not any(f"{scene.study.digest}/rounds" in path for path in scene.c.objects())


def test_a_copy_made_after_the_hospital_was_ready_stops_the_first_one_and_itself(scene, copy):
    scene.enter()
    other = copy()  # it knows the nonce that was said, and takes it for an earlier run of its own
    begin(scene, other)
    begin(scene, other)
    assert scene.ready().instance == other.entering.instances.mine
    with pytest.raises(TwoCopiesError, match="it said that it is ready"):
        scene.run.step()
    assert not scene.ledger_says.started


def test_a_copy_made_in_the_middle_sends_no_second_payload(scene, copy):
    scene.enter()
    other = copy()
    scene.announce()
    scene.run.step()
    scene.clock.now += 0.3
    scene.run.step()
    scene.run.step()
    sent = scene.sent()
    assert sent
    with pytest.raises(TwoCopiesError, match="Another copy of this hospital runs"):
        several_steps(scene, other)
    assert scene.sent() == sent
    assert not other.own.site.ledger.state.study(scene.study.digest).started


def test_control_who_looks_nowhere_sends_a_second_payload_over_the_first(scene, copy, monkeypatch):
    """As it was: no nonces are compared, and a contribution in one's own place is written over."""
    scene.enter()
    other = copy()
    scene.announce()
    scene.make()
    scene.run.step()
    first = scene.sent()
    for place in ("entering", "study_watch"):
        monkeypatch.setattr(f"securefl.node.{place}.check_alone", lambda *_: None)
    monkeypatch.setattr("securefl.node.leaving.other_contribution", lambda *_: False)
    monkeypatch.setattr(other.entering.instances, "mine", scene.run.entering.instances.mine)
    monkeypatch.setattr(Entering, "_answer_call", lambda self, _: self._answered.add("any"))
    begin(scene, other)
    begin(scene, other)
    other.step()
    scene.clock.now += 0.3
    other.step()
    other.step()
    second = scene.sent()
    assert first != second
    digests = [frame[frame.index(b'"round_digest":"') :][:80] for frame in (first, second)]
    assert digests[0] == digests[1]  # two payloads under equal masks


def test_another_contribution_in_its_own_place_is_not_written_over(scene):
    scene.begin()
    scene.make()
    made = scene.made
    mine = made.file.read_bytes()
    theirs = _resigned(scene, mine)
    at = paths.RoundPaths(scene.study.digest, 1).contribution(ME)
    scene.board.post(at, theirs)
    with pytest.raises(
        TwoCopiesError, match="another contribution of it lies in the store for round 1"
    ):
        scene.run.step()
    assert scene.sent() == theirs


def test_a_copy_that_is_faster_by_a_moment_is_not_written_over(scene, monkeypatch):
    """Nothing lay there when this hospital began to write."""
    scene.begin()
    scene.make()
    theirs = _resigned(scene, scene.made.file.read_bytes())
    first = CarriedBoard.post_file_first

    def slow(board, path, source):
        assert board.read(path, 1) is None
        scene.board.post(path, theirs)
        return first(board, path, source)

    monkeypatch.setattr(CarriedBoard, "post_file_first", slow)
    with pytest.raises(TwoCopiesError, match="another contribution of it lies in the store"):
        scene.run.step()
    assert scene.sent() == theirs


@pytest.mark.parametrize(
    "what", ["junk", "of another round", "by another key", "its own", "cut off"]
)
def test_what_anybody_can_put_there_is_written_over(scene, what):
    scene.begin()
    scene.make()
    mine = scene.made.file.read_bytes()
    at = paths.RoundPaths(scene.study.digest, 1).contribution(ME)
    lies = {
        "junk": b"junk",
        "of another round": _resigned(scene, mine, round=2),
        "its own": mine,
        "cut off": mine[:30],
        "by another key": _resigned(scene, mine, by=scene.c.site(OTHER).identity),
    }
    scene.board.post(at, lies[what])
    scene.run.step()
    assert scene.sent() == mine


def _resigned(scene, frame, by=None, **changes):
    """A frame of this hospital with another round digest, signed again, as a copy with its keys
    can.
    """
    import json

    from securefl.secagg.envelope import MAGIC, PREFIX_BYTES
    from securefl.signed import dump_signed

    length = int.from_bytes(frame[len(MAGIC) : PREFIX_BYTES], "big")
    signed, body = frame[PREFIX_BYTES : PREFIX_BYTES + length], frame[PREFIX_BYTES + length :]
    fields = (
        json.loads(signed.split(b"\n", 1)[1])
        | {"round_digest": hashlib.sha256(b"another").hexdigest()}
        | changes
    )
    again = dump_signed(fields, (by or scene.site.identity).sign)
    return MAGIC + len(again).to_bytes(4, "big") + again + body


def test_a_manifest_ends_within_what_is_read_of_it():
    facts = make_facts(length=500_000)
    assert manifest_limit(facts) > 64 * facts.chunks
    many = dataclasses.replace(make_facts(length=10_000_000), layout=layout_for(16, 5, 10_000_000))
    chunks = sum(section.count for section in many.sections)
    assert chunks > 100 * many.chunks
    assert manifest_limit(many) > 64 * chunks
    assert not other_contribution(b"", b"", facts, "SVI", lambda *_: True)
