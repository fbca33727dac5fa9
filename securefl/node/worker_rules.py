"""Conditions of this hospital for a worker that is given a table, and this machine held to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import SecureFLError, UnreadableError
from securefl.node.isolation import check_walls, isolation, machine_walls
from securefl.node.own_policy import kept_policy
from securefl.study.worker_walls import ALWAYS_REQUIRED, WorkerRules

if TYPE_CHECKING:
    from securefl.node.site import Site
    from securefl.report.isolation import Isolation


def worker_rules(site: Site) -> WorkerRules:
    """Rules of the owner's policy; the usual ones where there is none.

    Raises:
        UnreadableError: the policy is not the one that this hospital signed.
    """
    policy = kept_policy(site)
    if policy is None:
        return WorkerRules()
    return policy.worker_rules()


def network_allowed(site: Site) -> bool:
    """True where the owner's policy gives up the wall before a worker's network."""
    try:
        rules = worker_rules(site)
    except UnreadableError:  # then no worker starts
        return False
    return not rules.required >= ALWAYS_REQUIRED


def site_isolation(site: Site) -> Isolation:
    """Walls of this machine beside the owner's rules; a policy that was altered lowers none."""
    try:
        rules = worker_rules(site)
    except UnreadableError:
        rules = WorkerRules()
    return isolation(rules)


def wall_faults(site: Site) -> tuple[SecureFLError, ...]:
    """Required walls that this machine cannot put up: its owner is asked for no yes in vain.

    The worker itself is asked again, before it is given the table.
    """
    try:
        rules = worker_rules(site)
        check_walls(rules, machine_walls(rules.limits))
    except UnreadableError:  # a fault of the policy, which is told by itself
        return ()
    except SecureFLError as error:
        return (error,)
    return ()
