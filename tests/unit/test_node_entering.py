"""Before the first round: who is away or cannot take part costs nobody anything, and one identity
runs in one place.
"""

import secrets

import pytest
from consortium import NAMES, Consortium
from running_study import AGREED, study_scene
from worker_stand_ins import after

from securefl.errors import DataError, EndedError, RoundError, StoreError, TwoCopiesError
from securefl.federation import paths
from securefl.federation.messages import Call, End, Ready, Status
from securefl.node import decisions
from securefl.node.instances import Instances
from securefl.node.own_study import LedgerWitness
from securefl.node.waiting import keep_waiting, waiting_for

ME, OTHER, THIRD = NAMES
DAY = 86_400.0


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


@pytest.fixture
def scene(hospitals, request):
    yield from study_scene(hospitals, request)


def charged(scene):
    state = scene.site.ledger.state
    return state.study(scene.study.digest).started


def test_nothing_is_charged_or_prepared_while_nobody_starts_the_run_and_the_approval_stays_good(
    scene,
):
    scene.others_approve()
    for _ in range(5):
        scene.wait(DAY)
    assert not charged(scene)
    assert scene.worker.did == ["check"]
    assert "the researcher, who has not started the run yet" in scene.run.waiting
    assert waiting_for(scene.site.study_folder(scene.study.digest)) == scene.run.waiting
    scene.call()
    scene.wait()
    scene.others_ready()
    scene.announce()
    scene.run.step()
    assert charged(scene)
    assert scene.run.waiting == ""
    assert waiting_for(scene.site.study_folder(scene.study.digest)) == ""


def test_what_is_waited_for_is_said_at_each_stage(scene):
    scene.run.step()
    assert scene.run.waiting == "the other hospitals' approvals"
    scene.others_approve()
    scene.run.entering.witness = LedgerWitness(lambda: False, str)
    scene.run.step()
    assert "checkpoints" in scene.run.waiting
    scene.run.entering.witness = LedgerWitness(
        lambda: False, lambda: "the word of SVI on this ledger's checkpoints"
    )
    scene.run.step()
    assert (
        waiting_for(scene.site.study_folder(scene.study.digest))
        == "the word of SVI on this ledger's checkpoints"
    )
    scene.run.entering.witness = AGREED
    scene.run.step()
    assert "whether the table fits" in scene.run.waiting
    scene.wait()
    assert "the researcher" in scene.run.waiting
    scene.call()
    scene.wait()
    scene.run.step()
    assert "the first announcement" in scene.run.waiting


def test_a_table_that_no_longer_fits_is_said_before_anybody_is_charged_and_at_a_public_time(scene):
    scene.tune = lambda worker: setattr(
        worker, "unfit", DataError("The table has no column 'age'.")
    )
    scene.others_approve()
    scene.run.step()
    scene.clock.now += 0.9
    assert scene.run.step() is None
    scene.clock.now += 0.2
    with pytest.raises(DataError, match="no column"):
        scene.run.step()
    assert not charged(scene)


def test_a_check_that_takes_long_is_looked_at_at_the_next_whole_second(scene):
    scene.ask_by(after(lambda: scene.clock.now, lambda: 1.3))
    scene.others_approve()
    scene.call()
    scene.wait()
    scene.clock.now += 0.9
    scene.run.step()
    assert not scene.run.entering._fits
    scene.clock.now += 0.1
    scene.run.step()
    assert scene.run.entering._fits


def test_a_ready_statement_leaves_a_whole_second_after_the_call_and_once_for_each(scene):
    scene.others_approve()
    scene.wait()
    scene.call()
    scene.run.step()
    scene.clock.now += 0.9
    scene.run.step()
    assert scene.ready() is None
    scene.clock.now += 0.1
    scene.run.step()
    said = scene.ready()
    assert said.instance == scene.run.entering.instances.mine
    scene.board.erase(paths.ready(scene.study.digest, ME))
    scene.wait()
    assert scene.ready() is None  # the same call is not answered again
    nonce = scene.call()
    scene.wait()
    assert scene.ready().call == nonce


def test_a_call_that_the_coordinator_did_not_sign_is_none(scene):
    scene.others_approve()
    scene.wait()
    call = Call(scene.study.digest, secrets.token_hex(32))
    scene.board.post(paths.call(scene.study.digest), call.dump(scene.c.site(OTHER).identity.sign))
    scene.wait()
    assert scene.ready() is None


def test_a_disk_without_room_is_said_before_anybody_is_charged(scene):
    scene.run.entering.free = lambda _: 1 << 20
    with pytest.raises(RoundError, match="The disk has 1 MB left"):
        scene.enter()
    assert not charged(scene)
    assert scene.ready() is None


def test_a_store_that_is_away_as_it_says_that_it_is_ready_is_tried_again(scene, monkeypatch):
    scene.others_approve()
    scene.wait()
    scene.call()
    scene.run.step()
    scene.clock.now += 1

    def away(*_):
        raise StoreError("The store is away.")

    with monkeypatch.context() as during:
        during.setattr(scene.board, "post", away)
        with pytest.raises(StoreError):
            scene.run.step()
    scene.run.step()
    assert scene.ready() is not None


def test_an_owner_who_pauses_says_nothing_and_goes_on_after_it(scene):
    scene.others_approve()
    scene.wait()
    scene.call()
    owner = scene.c.site(ME)
    decisions.pause(owner, "audit")
    try:
        scene.wait()
        assert scene.ready() is None
    finally:
        owner.ledger.resume()
    scene.run.step()
    assert scene.ready() is not None


@pytest.mark.parametrize("who", [(), (OTHER,)], ids=["nobody else", "one of two"])
def test_a_round_that_was_announced_before_all_said_that_they_are_ready_begins_nothing(scene, who):
    scene.others_approve()
    scene.wait()
    scene.call()
    scene.wait()
    for name in who:
        scene.others_ready(name)
    scene.announce()
    scene.wait()
    assert not charged(scene)
    assert any("announced to another run of" in line for line in scene.lines)
    scene.others_ready()
    scene.run.step()
    assert charged(scene)


def test_a_round_that_was_announced_to_another_run_of_a_partner_begins_nothing(scene):
    scene.enter()
    scene.announce(instances={OTHER: "e" * 64})
    scene.wait()
    assert not charged(scene)


def test_the_first_to_end_is_named_with_its_code_before_the_start(scene):
    """One that follows says whom: who reads a follower's word reads the name of the first."""
    scene.others_approve()
    for name, word in (
        (OTHER, Status(scene.study.digest, OTHER, 0, "round", THIRD, "data")),
        (THIRD, Status(scene.study.digest, THIRD, 0, "data")),
    ):
        scene.board.post(
            paths.status(scene.study.digest, name), word.dump(scene.c.site(name).identity.sign)
        )
    with pytest.raises(
        EndedError, match=f"{THIRD} ended its part in the study with the code 'data'"
    ) as error:
        scene.run.step()
    assert (error.value.site, error.value.ended_with, error.value.whose) == (THIRD, "data", THIRD)
    assert "costs nothing" in error.value.next_step


def test_a_follower_alone_names_whom_it_follows(scene):
    word = Status(scene.study.digest, OTHER, 0, "round", THIRD, "data")
    scene.board.post(
        paths.status(scene.study.digest, OTHER), word.dump(scene.c.site(OTHER).identity.sign)
    )
    with pytest.raises(EndedError, match=f"{THIRD} ended its part .* {OTHER} says so"):
        scene.run.step()


def test_the_coordinators_end_names_the_first_to_end(scene):
    scene.begin()
    end = End(scene.study.digest, "round", 0, "", OTHER, "data")
    scene.board.post(paths.ending(scene.study.digest), end.dump(scene.c.lab.folder.identity.sign))
    with pytest.raises(
        EndedError, match=f"since {OTHER} ended its part with the code 'data'"
    ) as error:
        scene.run.step()
    assert error.value.site == OTHER


# --- one identity in one place
# ---------------------------------------------------------------------------------------


def said_ready(scene, instance):
    word = Ready(scene.study.digest, ME, instance, "0" * 64)
    scene.board.post(paths.ready(scene.study.digest, ME), word.dump(scene.site.identity.sign))


@pytest.mark.parametrize("when", ["before it is ready", "after", "in a round"])
def test_another_copys_ready_statement_in_its_own_place_stops_it(scene, when):
    if when != "before it is ready":
        scene.enter()
    if when == "in a round":
        scene.announce()
        scene.run.step()
        scene.clock.now += 1.1
    said_ready(scene, "c" * 64)
    with pytest.raises(TwoCopiesError, match="Another copy of this hospital runs"):
        scene.run.step()
    assert charged(scene) is (when == "in a round")
    assert scene.sent() is None


def test_a_statement_of_an_earlier_run_on_the_same_folder_is_its_own(scene):
    earlier = Instances(scene.site.study_folder(scene.study.digest))
    earlier.keep()
    earlier.keep()
    said_ready(scene, earlier.mine)
    scene.enter()
    assert scene.ready().instance == scene.run.entering.instances.mine
    assert scene.run.entering.instances.earlier(earlier.mine)
    assert not scene.run.entering.instances.earlier(scene.run.entering.instances.mine)


def test_a_statement_that_this_hospital_did_not_sign_stops_nothing(scene):
    word = Ready(scene.study.digest, ME, "c" * 64, "0" * 64)
    scene.board.post(
        paths.ready(scene.study.digest, ME), word.dump(scene.c.site(OTHER).identity.sign)
    )
    scene.begin()


def test_a_round_announced_to_another_copy_is_not_begun(scene):
    scene.enter()
    scene.announce(instances={ME: "c" * 64})
    with pytest.raises(TwoCopiesError, match="round 1 was announced to it"):
        scene.run.step()
    assert not charged(scene)


def test_an_end_in_its_own_name_that_its_ledger_does_not_know_is_another_copys(scene):
    scene.others_approve()
    word = Status(scene.study.digest, ME, 0, "two-copies")
    scene.board.post(paths.status(scene.study.digest, ME), word.dump(scene.site.identity.sign))
    with pytest.raises(TwoCopiesError, match="it ended its part in this study"):
        scene.run.step()


def test_what_is_waited_for_is_kept_once_and_gone_with_its_file(tmp_path):
    assert waiting_for(tmp_path) == ""
    keep_waiting(tmp_path, "someone")
    before = (tmp_path / "waiting").stat().st_ino
    keep_waiting(tmp_path, "someone")
    assert (tmp_path / "waiting").stat().st_ino == before
    assert waiting_for(tmp_path) == "someone"
