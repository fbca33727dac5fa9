import io
import json

import numpy as np
import pytest
from secagg_keyed import KeyedWorld
from secagg_round import DEGREES, NAMES, digest_of
from secagg_survivors import World, run_round

from securefl.errors import MessageError, RoundError
from securefl.secagg import streaming
from securefl.secagg.cipher_ring import LARGE_RING
from securefl.secagg.masks import Seeds
from securefl.secagg.seal import NOISE_LIMIT, CkksIntegers
from securefl.secagg.sum import same_sum
from securefl.secagg.survivors import Survivors
from securefl.secagg.unmasking import Unmasking

LEFT = NAMES[:4]
LENGTH = 300_000  # 37 ciphertexts: more than one block


def opened(world, survivors, blocks, attempt=1):
    into = np.empty(survivors.terms.facts.length, dtype=np.int64)
    return streaming.open_survivors(world.keys[attempt], blocks, survivors, into), into


@pytest.fixture(scope="module")
def clear():
    world = World(NAMES, 4, 1, length=LENGTH)
    return world, *run_round(world, LEFT)[:2]


@pytest.fixture(params=DEGREES)
def real(request):
    length = {4096: 20_000, 2048: 5_000, 1024: 2_500}[request.param]
    world = World(NAMES, 4, 1, length=length, cipher=CkksIntegers(), degree=request.param)
    return world, *run_round(world, LEFT)[:2]


def files(frames):
    return {name: io.BytesIO(data) for name, data in frames.items()}


def added(world, proposer, frames):
    return streaming.add_survivors(proposer.unmasking(), files(frames), world.verify)


def as_frame(world, proposer, blocks):
    spool = io.BytesIO()
    return (
        streaming.write_survivors_sum(
            proposer.survivors, blocks, spool, "aggregator", world.aggregator.sign
        )
        + spool.getvalue()
    )


def read(world, proposer, data):
    return streaming.read_survivors_sum(
        io.BytesIO(data), proposer.survivors, "aggregator", world.aggregator.card.verify
    )


def test_survivors_open_to_their_exact_sum_under_ckks(real):
    world, proposer, frames = real
    result, values = opened(world, proposer.survivors, added(world, proposer, frames))
    assert np.array_equal(values, world.truth(LEFT))
    assert result.contributors == 4
    assert 0 < result.noise_share <= (0.5 if world.degree == 4096 else NOISE_LIMIT)
    assert world.keys[1].erased


def test_a_sum_of_several_blocks_travels_and_is_recomputed(clear):
    world, proposer, frames = clear
    data = as_frame(world, proposer, added(world, proposer, frames))
    assert len(data) <= streaming.sum_limit(proposer.survivors)
    both = same_sum(read(world, proposer, data), added(world, proposer, frames), "aggregator")
    assert np.array_equal(opened(world, proposer.survivors, both)[1], world.truth(LEFT))


def test_without_the_unmasking_the_sum_does_not_open(real):
    """The control of everything: self masks and masks with the lost are really in there."""
    world, proposer, frames = real
    nothing = Unmasking(proposer.survivors, Seeds((), ()))
    with pytest.raises(RoundError, match="nothing was released"):
        opened(
            world, proposer.survivors, streaming.add_survivors(nothing, files(frames), world.verify)
        )
    assert world.keys[1].erased


def test_a_sum_opens_once(real):
    world, proposer, frames = real
    opened(world, proposer.survivors, added(world, proposer, frames))
    with pytest.raises(RoundError, match="used or erased"):
        opened(world, proposer.survivors, added(world, proposer, frames))


def test_an_altered_sum_is_refused_in_the_aggregators_name(clear):
    world, proposer, frames = clear
    blocks = list(added(world, proposer, frames))
    blocks[1][0, 1, 7] ^= np.uint64(1)
    data = as_frame(world, proposer, iter(blocks))
    with pytest.raises(RoundError, match="not the sum") as caught:
        list(same_sum(read(world, proposer, data), added(world, proposer, frames), "aggregator"))
    assert caught.value.whose == "aggregator"
    with pytest.raises(RoundError, match="not the sum"):
        list(same_sum(iter(blocks[:1]), added(world, proposer, frames), "aggregator"))


def test_a_sum_under_another_survivor_set_key_or_name_is_refused(clear):
    world, proposer, frames = clear
    data = as_frame(world, proposer, added(world, proposer, frames))
    other = run_round(world, NAMES)[0]
    with pytest.raises(MessageError, match="not this round's"):
        list(read(world, other, data))
    with pytest.raises(MessageError) as caught:
        list(
            streaming.read_survivors_sum(
                io.BytesIO(data), proposer.survivors, "aggregator", world.coordinator.card.verify
            )
        )
    assert caught.value.whose == "aggregator"


def test_a_frame_that_is_missing_or_exchanged_is_named(clear):
    world, proposer, frames = clear
    with pytest.raises(RoundError) as missing:
        list(
            added(world, proposer, {name: data for name, data in frames.items() if name != "SVHD"})
        )
    assert missing.value.whose == "SVHD"
    for exchanged in (
        {**frames, "SVHD": frames["SVHC"]},
        {**frames, "SVHD": world.frame("SVHD", draw=bytes)},
    ):
        with pytest.raises(MessageError) as caught:
            list(added(world, proposer, exchanged))
        assert caught.value.whose == "SVHD"


def test_bytes_after_a_frame_are_refused_before_the_sum_is_complete(clear):
    world, proposer, frames = clear
    with pytest.raises(MessageError, match="follows") as caught:
        list(added(world, proposer, {**frames, "SVHD": frames["SVHD"] + b"x"}))
    assert caught.value.whose == "SVHD"


class Says:
    """Keys that decrypt to what a test says."""

    def __init__(self, world, blocks):
        self.public, self.erased, self.blocks = world.keys[1].public, False, blocks

    def open_blocks(self, blocks, layout):
        return ((block, 0.1) for block in self.blocks)

    def erase(self):
        self.erased = True


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda blocks: [*blocks, blocks[0]], "more ciphertexts"),
        (lambda blocks: blocks[:-1], "fewer ciphertexts"),
        (
            lambda blocks: [blocks[0] + np.eye(1, 4096, dtype=np.uint64), *blocks[1:]],
            "exactly one contribution",
        ),
    ],
    ids=["too many", "too few", "canary"],
)
def test_an_opening_that_is_no_complete_sum_is_refused_and_the_key_erased(clear, change, why):
    world, proposer, _ = clear
    layout = proposer.terms.facts.layout
    message = sum(layout.pack(world.values(name)) for name in LEFT)
    keys = Says(world, change([message[:32], message[32:]]))
    with pytest.raises(RoundError, match=why):
        streaming.open_survivors(
            keys, iter([]), proposer.survivors, np.empty(LENGTH, dtype=np.int64)
        )
    assert keys.erased


def test_another_rounds_key_opens_nothing(clear):
    proposer, keys = clear[1], CkksIntegers().generate()
    with pytest.raises(RoundError, match="not the one"):
        streaming.open_survivors(
            keys, iter([]), proposer.survivors, np.empty(LENGTH, dtype=np.int64)
        )
    assert keys.erased


def test_the_sums_head_says_what_was_added_for_whom(clear):
    """The names of the fields are the wire format's; whoever verifies the round reads them."""
    world, proposer, frames = clear
    data = as_frame(world, proposer, added(world, proposer, frames))
    manifest = json.loads(data[12 : 12 + int.from_bytes(data[8:12], "big")].split(b"\n", 1)[1])
    chunks = manifest.pop("chunks")
    assert manifest == {
        **proposer.terms.announced("aggregator"), "type": "securefl-sum/2", "shape": [[37, 2, 4096]],
        "survivors_sha256": proposer.survivors.sha256, "parts": proposer.survivors.parts(),
    }  # fmt: skip
    assert len(chunks) == 37


def test_the_cap_of_a_sum_leaves_room_for_the_longest_names():
    names = [f"{i:02}" + "\N{GRINNING FACE}" * 62 for i in range(20)]
    survivors = Survivors(World(names, 12, 1).terms(), {name: digest_of(name) for name in names})
    head = streaming._sum_envelope(survivors, "aggregator").head(
        ["0" * 64], World(names, 12, 1).aggregator.sign
    )
    assert len(head) + LARGE_RING.chunk_bytes <= streaming.sum_limit(survivors)


def test_a_claimed_sum_is_read_to_its_end_and_one_that_is_short_is_named(clear):
    world, proposer, frames = clear
    blocks = list(added(world, proposer, frames))
    ended = []

    def claimed():
        yield from blocks
        ended.append(True)

    list(same_sum(claimed(), iter(blocks), "aggregator"))
    assert ended == [True]
    with pytest.raises(RoundError, match="not the sum") as caught:
        list(same_sum(iter(()), iter(blocks), "aggregator"))
    assert caught.value.whose == "aggregator"


def test_no_value_is_written_before_its_canaries_are_right(clear):
    world, proposer, _ = clear
    layout = proposer.terms.facts.layout
    message = sum(layout.pack(world.values(name)) for name in LEFT) + np.eye(
        1, 4096, dtype=np.uint64
    )
    into = np.zeros(LENGTH, dtype=np.int64)
    with pytest.raises(RoundError, match="exactly one contribution"):
        streaming.open_survivors(Says(world, [message]), iter([]), proposer.survivors, into)
    assert not into.any()


def test_a_last_ciphertext_with_one_value_opens(clear):
    layout = clear[1].terms.facts.layout
    world = World(NAMES, 4, 1, length=layout.values_per_chunk + 1)
    proposer, frames, _ = run_round(world, LEFT)
    assert np.array_equal(
        opened(world, proposer.survivors, added(world, proposer, frames))[1], world.truth(LEFT)
    )
    first, last = (layout.pack(world.values(LEFT[0])) for _ in range(2))
    total = sum(layout.pack(world.values(name)) for name in LEFT)
    into = np.zeros(world.length, dtype=np.int64)
    streaming.open_survivors(
        Says(world, [total[:1], total[1:]]), iter([]), proposer.survivors, into
    )
    assert np.array_equal(into, world.truth(LEFT))
    assert first.shape == last.shape


@pytest.mark.parametrize("primes", [1, 3])
def test_masks_come_off_the_keys_and_numbers_are_left_as_they_add_up(primes):
    world = KeyedWorld(NAMES, 4, 1, length=100, primes=primes)
    proposer, frames, _ = run_round(world, LEFT)
    result, into = opened(world, proposer.survivors, added(world, proposer, frames))
    assert np.array_equal(into, world.truth(LEFT))
    assert result.contributors == 4
