"""A study in one process, on data that anybody may see: for designing, before hospitals are asked.

The stages, clipping, noise and rounding are those of a real run; keys, network, budget and
hospitals are not there, and the noise comes from a seed, so nothing that is simulated is protected.
No module of a real run imports this room.
"""
