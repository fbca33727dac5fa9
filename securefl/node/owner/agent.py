"""Agent and pause: the owner starts and stops what works here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.node import agent, decisions

if TYPE_CHECKING:
    from securefl.node.site import Site


def make_agent(site: Site) -> agent.Agent:
    """Make the agent of this hospital; its ``run`` returns when it is stopped.

    Raises:
        UsageError: one runs already.
    """
    return agent.Agent(site)


def stop_agent(site: Site) -> bool:
    """Ask the agent to stop and wait for it; False where none runs.

    Raises:
        RoundError: it does not stop.
    """
    return agent.stop_agent(site)


def pause(site: Site, note: str) -> None:
    """Pause: once this returns, nothing starts and nothing leaves the house."""
    decisions.pause(site, note)


def resume(site: Site) -> None:
    """End the pause."""
    site.ledger.resume()
