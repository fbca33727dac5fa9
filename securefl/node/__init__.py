"""A hospital at work: its folder and keys, the policy on requests, approvals, the agent and its
isolated worker.
"""

from securefl.doors import lazy_door

__getattr__ = lazy_door(
    __name__,
    {
        "Agent": "agent",
        "PartyFolder": "folder",
        "Site": "site",
        "Worker": "launcher",
        "isolation_words": "isolation",
    },
)
