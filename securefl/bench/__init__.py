"""What `securefl bench` measures: the secure sum alone, and whole rounds between real processes."""

from securefl.doors import lazy_door

__getattr__ = lazy_door(__name__, {"bench_round": "rounds", "bench_secagg": "sums"})
