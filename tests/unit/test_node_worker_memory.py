"""A worker without memory says so, with the figure and the next step, to its owner alone."""

import errno

import pytest

from securefl.node.walls.worker_limits import machine_memory
from securefl.node.worker_memory import (
    ended_by_kernel_error,
    is_shortage,
    kernel_kills,
    shortage_error,
)

TORCH = "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError(TORCH),
        RuntimeError("std::bad_alloc"),
        ImportError("libtorch.so: failed to map segment: Cannot allocate memory"),
    ],
    ids=["python", "system", "torch", "C++", "loader"],
)
def test_a_shortage_is_known_in_the_words_of_each_library(error):
    assert is_shortage(error)


@pytest.mark.parametrize(
    "error",
    [ValueError("no memory of it"), OSError(errno.EPERM, "denied"), RuntimeError("shape")],
)
def test_other_errors_are_none(error):
    assert not is_shortage(error)


def test_the_owner_reads_the_limit_and_who_can_raise_it():
    limited = shortage_error(2_500_000_000, 16 * 10**9)
    assert "more memory than 2,500 MB, which this hospital's policy allows" in limited.what
    assert "memory_gb" in limited.next_step
    assert limited.whose == "this hospital's data owner"
    whole = shortage_error(None, 16 * 10**9)
    assert "more memory than this machine has, 16,000 MB" in whole.what
    assert "memory_gb" not in whole.next_step
    assert whole.whose == "this hospital's operator"
    assert "16,000 MB" in ended_by_kernel_error(16 * 10**9).what


def test_others_read_a_code_that_names_no_memory():
    """How much memory a study needs follows from how many rows there are (rule 1)."""
    assert shortage_error(None, machine_memory()).code == "round"


def test_the_kernels_count_is_read_where_there_is_one(tmp_path):
    counters = tmp_path / "vmstat"
    counters.write_text("nr_free_pages 12\noom_kill 3\nswap_ra 0\n")
    assert kernel_kills(counters) == 3
    counters.write_text("nr_free_pages 12\n")
    assert kernel_kills(counters) == 0
    assert kernel_kills(tmp_path / "none") == 0
