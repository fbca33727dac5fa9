"""Opacus' per-record gradients alone, without its engine, optimisers and accountants.

``import opacus`` runs the package's ``__init__``, which brings in distributed optimisers and
accountants that nothing here uses: it more than doubles what importing torch costs, and every
worker would pay it at its start. The sub-package with the hooks needs none of that.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def _package_not_run(name: str) -> Iterator[None]:
    """For the length of a ``with``: sub-packages of ``name`` are imported while its own
    ``__init__`` is not run. A later ``import`` of it is an ordinary one.
    """
    if name in sys.modules:
        yield
        return
    spec = find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    sys.modules[name] = module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[name]


with _package_not_run("opacus"):
    from opacus.grad_sample import GradSampleModule, register_grad_sampler

__all__ = ["GradSampleModule", "register_grad_sampler"]
