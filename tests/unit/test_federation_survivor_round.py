"""Frames are checked once, a block at a time, and kept where the store cannot reach them."""

import io
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from boards import FolderBoard
from conftest import SITES
from in_process_federation import INSTANCES, Room, going_on, head_in, sealed_study

from securefl.errors import MessageError, StoreError
from securefl.federation import paths, survivor_round, tempfiles
from securefl.federation.survivor_round import SurvivorRound
from securefl.secagg.sections import ciphertext_section
from securefl.secagg.streaming import add_survivors
from securefl.secagg.survivor_contribution import head_limit
from securefl.secagg.survivors import Survivors, write_proposal
from securefl.secagg.unmasking import unmask
from securefl.study.training import training_of

FIVE = tuple(sorted(SITES))
PLAN = going_on(sealed_study(("min_contributors = 5", "min_contributors = 4"), names=FIVE)[1])
AT = paths.RoundPaths(PLAN.digest, 1)


class Counting(FolderBoard):
    """Counts how often a contribution was opened."""

    opened = 0

    def open(self, path, max_bytes):
        self.opened += path.startswith(AT.contributions)
        return super().open(path, max_bytes)


@pytest.fixture(scope="module")
def five():
    """Round 1, which everybody contributed to, signed and answered."""
    room = Room(PLAN)
    keys, given = room.announce()
    people = {p.name: p for p in room.participants()}
    frames = {site: p.answer(given).read() for site, p in people.items()}
    terms = PLAN.terms(
        PLAN.facts(
            1,
            keys.public.sha256,
            training_of(PLAN.study).model.initial_sha256,
            instances=INSTANCES,
        )
    )
    heads = {site: people[FIVE[0]].later.read(site, frame) for site, frame in frames.items()}
    survivors = Survivors(terms, {s: heads[s].sha256 for s in FIVE})
    proposal = write_proposal(survivors, "Researcher", room.researcher.sign)
    signed = {s: p.later.agree(proposal, head_in(frames)(p.later)) for s, p in people.items()}
    answers = {s: p.later.answer(signed) for s, p in people.items()}
    return SimpleNamespace(
        terms=terms,
        people=people,
        frames=frames,
        survivors=survivors,
        signed=signed,
        answers=answers,
    )


@pytest.fixture
def store(five, tmp_path):
    made = Counting(str(tmp_path))
    for site, frame in five.frames.items():
        made.post(AT.contribution(site), frame)
    return made


@pytest.fixture
def here(five):
    with closing(SurvivorRound(PLAN, five.terms)) as made:
        yield made


def test_what_was_checked_is_what_is_added_whatever_the_store_says_afterwards(five, store, here):
    assert here.poll_frames(store)
    here.state.adopt(five.survivors)
    for site in FIVE:
        here.state.add_agreement(site, five.signed[site])
        here.state.add_answer(site, five.answers[site])
        store.post(AT.contribution(site), b"exchanged")
    unmasking = unmask(
        here.state.survivors,
        here.state.answers,
        {s: h.dealing for s, h in here.state.heads.items()},
    )
    whole = add_survivors(
        unmasking, {s: io.BytesIO(f) for s, f in five.frames.items()}, PLAN.verify
    )
    assert all(np.array_equal(a, b) for a, b in zip(here.sum_blocks(), whole, strict=True))
    store.opened = 0
    assert not here.poll_frames(store)
    assert store.opened == 0


@pytest.mark.parametrize("junk", [b"", b"junk", "cut off", "altered at its end", "too long"])
def test_a_frame_that_is_refused_is_looked_at_again_when_it_changed_and_not_before(
    five, store, here, junk
):
    first = FIVE[0]
    frame = five.frames[first]
    spoiled = {
        "cut off": frame[:-1],
        "altered at its end": frame[:-1] + bytes([frame[-1] ^ 1]),
        "too long": frame + bytes(10_000_000),
    }
    store.post(AT.contribution(first), spoiled.get(junk, junk))
    assert here.poll_frames(store)
    assert set(here.refused) == {first}
    store.opened = 0
    for _ in range(3):
        assert not here.poll_frames(store)
    assert store.opened == 0
    store.post(AT.contribution(first), frame)
    assert here.poll_frames(store)
    assert here.refused == {}
    assert set(here.state.heads) == set(FIVE)


def test_a_frame_that_is_not_the_survivors_is_refused_once(five, store, here):
    first = FIVE[0]
    here.state.adopt(Survivors(five.terms, {**five.survivors.frames, first: "ab" * 32}))
    assert here.poll_frames(store)
    assert set(here.refused) == {first}
    assert "not the one in the survivor set" in here.refused[first].what
    store.opened = 0
    assert not here.poll_frames(store)
    assert store.opened == 0


def test_one_that_was_taken_before_the_survivors_named_another_is_exchanged(five, store, here):
    first = FIVE[0]
    assert here.poll_frames(store)
    here.state.adopt(Survivors(five.terms, {**five.survivors.frames, first: "ab" * 32}))
    with pytest.raises(MessageError, match="not the one in the survivor set"):
        here.state.check_frames()
    for _ in range(2):
        assert not here.poll_frames(store)
    assert store.opened == len(FIVE) + 1


def test_a_hospital_needs_heads_only(five):
    site, later = FIVE[1], five.people[FIVE[0]].later
    assert head_limit(five.terms) < len(five.frames[site]) / 2
    assert later.read(site, five.frames[site][: head_limit(five.terms)]).sender == site
    with pytest.raises(MessageError, match="not in the store"):
        later.read(site, None)


def test_a_full_disk_is_said_as_such_and_nothing_is_taken(five, store, here, monkeypatch):
    def full(*_, **_more):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as during:
        during.setattr(tempfiles, "keep", full)
        with pytest.raises(StoreError, match="No space left on device") as caught:
            here.poll_frames(store)
        assert "TMPDIR" in caught.value.next_step
        during.setattr(here._tempfiles, "_in_memory", 0)
        during.setattr(tempfiles.tempfile, "TemporaryFile", full)
        with pytest.raises(StoreError, match="No space left on device"):
            here.poll_frames(store)
    assert here.state.heads == {}
    assert here.poll_frames(store)


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_private_files_have_no_name_and_are_closed_with_the_round(
    five, store, tmp_path, monkeypatch
):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfiles.tempfile, "tempdir", None)
    monkeypatch.setattr(survivor_round, "IN_MEMORY", 0)
    made = SurvivorRound(PLAN, five.terms)
    before = open_files()
    made.poll_frames(store)
    assert open_files() == before + 5
    assert list((tmp_path / "temporary").iterdir()) == []
    made.close()
    assert open_files() == before


def test_small_files_stay_in_memory(five, store):
    made = SurvivorRound(PLAN, five.terms)
    before = open_files()
    assert made.poll_frames(store)
    assert open_files() == before
    made.close()


def test_a_disk_that_is_full_when_memory_no_longer_does_is_said_as_such(monkeypatch):
    def full(*_, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfiles.tempfile, "TemporaryFile", full)
    blocks, sections = [np.zeros((1, 2, 4096), dtype=np.uint64)], (ciphertext_section(1),)
    files = tempfiles.TempFiles(blocks[0].nbytes - 1)
    with pytest.raises(StoreError, match="No space left on device"):
        files.store(iter(blocks), sections)
    kept = tempfiles.TempFiles(blocks[0].nbytes).store(iter(blocks), sections)
    assert np.array_equal(next(kept.blocks()), blocks[0])


def test_without_a_named_folder_private_files_lie_on_a_disk(monkeypatch):
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    assert tempfiles._folder() == tempfiles._ON_DISK
    monkeypatch.setattr(tempfiles, "_ON_DISK", "/nowhere")
    assert tempfiles._folder() == tempfiles.tempfile.gettempdir()
