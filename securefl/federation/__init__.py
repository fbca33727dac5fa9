"""Rounds: signed messages, the exchange that carries them, and each party's part."""
