"""The task of a count: Poisson loss, judged like a number."""
