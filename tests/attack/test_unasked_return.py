"""A coordinator that announces a round to a hospital that was lost and did not ask to come back: the
others answer nothing. Without their look at that hospital's word, the control, they contribute.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from consortium import Consortium
from faulty_world import AwayWorld
from killed_hospital import KINDS, ME
from weather import Weather

from securefl.federation.readiness import ready_of
from securefl.federation.store_exchange import StoreExchange
from securefl.node import study_run

if TYPE_CHECKING:
    from securefl.federation.messages import Ready

SHORT = (("round_deadline = 60", "round_deadline = 10"), *KINDS["survivors"])


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    c = Consortium(tmp_path_factory.mktemp("ready"))
    study = c.new_study("unasked", *SHORT)
    for site in c.names:
        c.hand_over(study, site)
        c.approve(site, study)
    return c, study


class NeverBack(AwayWorld):
    """A hospital that is cut off for good, and a coordinator that announces to it all the same."""

    never = (ME,)

    def _act(self, name):
        if name == ME and self._lies(2, "announcement"):
            return
        super()._act(name)


def attacked(ready, root, patched):
    """The rounds to which another hospital contributed."""
    patched.setattr(StoreExchange, "back", lambda *_: frozenset({ME}))
    world = NeverBack(ready, root, Weather(), patched)
    world.run()
    return world, sorted({number for number, _ in world.state("SVI").sent})


def test_nobody_is_brought_back_who_did_not_ask(ready, tmp_path):
    with pytest.MonkeyPatch.context() as patched:
        world, sent = attacked(ready, tmp_path / "world", patched)
    assert sent == [1, 2]
    assert "is not the one that the study describes" in world.c.log("SVI")


def test_control_without_that_look_the_others_contribute(ready, tmp_path):
    def believed(board, plan):
        said: Ready = ready_of(board, plan, ME)
        return {ME: SimpleNamespace(instance=said.instance)}

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(study_run, "returned", believed)
        _, sent = attacked(ready, tmp_path / "world", patched)
    assert 3 in sent
