"""A folder copied after its approval, two agents: two different signed contributions of one
hospital lay in the store for every round.
"""

import dataclasses
import shutil

import pytest
from boards import is_there
from consortium import Consortium
from running_study import AGREED, study_scene

from securefl.errors import TwoCopiesError
from securefl.node.site import Site
from securefl.node.study_run import StudyRun


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


@pytest.fixture
def scene(hospitals, request):
    yield from study_scene(hospitals, request)


def test_two_agents_with_one_identity_send_one_contribution_at_most_and_say_so(scene, tmp_path):
    shutil.copytree(scene.site.path, tmp_path / "clone")
    first = scene.run
    clone = StudyRun(
        dataclasses.replace(first.own, site=Site.at(tmp_path / "clone")),
        AGREED,
        door=first.door,
        settle_seconds=0.0,
    )
    try:
        scene.others_approve()
        scene.call()
        stopped, said, words = [], [], set()
        for _ in range(40):
            for run in (first, clone):
                if run not in stopped:
                    try:
                        run.step()
                    except TwoCopiesError as error:
                        stopped.append(run)
                        said.append(error.what)
            if scene.ready() and not is_there(scene.board, scene.at().announcement):
                scene.others_ready()
                scene.announce()
            if sent := scene.sent():
                words.add(sent)
            scene.clock.now += 0.25
        assert stopped
        assert all("Another copy of this hospital runs" in what for what in said)
        assert len(words) <= 1
    finally:
        clone.own.site.ledger.close()
