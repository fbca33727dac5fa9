"""Rounds: signed messages, the exchange that carries them, the hospital's part, the aggregator's
and the coordinator's.
"""
