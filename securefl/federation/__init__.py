"""Rounds: signed messages, the exchange that carries them, the hospital's part, the aggregator's
and the coordinator's.
"""

from securefl.doors import lazy_door

__getattr__ = lazy_door(
    __name__,
    {
        "Aggregator": "aggregator",
        "Coordinator": "coordinator",
        "LocalExchange": "exchange",
        "Participant": "participant",
        "StoreExchange": "exchange",
    },
)
