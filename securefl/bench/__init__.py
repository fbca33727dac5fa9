"""Benchmarks of `securefl bench`: the secure sum alone, and whole rounds between real processes."""
