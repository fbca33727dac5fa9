"""Several approved studies at one hospital: a further one waits where the owner's rules say so."""

import pytest
from consortium import Consortium
from running_study import study_scene

from securefl.node.own_policy import drop_policy, keep_policy
from securefl.study.owner_policy import read_policy


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


@pytest.fixture
def scene(hospitals, request):
    yield from study_scene(hospitals, request)


def test_one_study_at_a_time_where_the_owners_rules_say_so(scene):
    rule = 'schema = "securefl-policy/1"\nstudies_at_once = 1\n'
    keep_policy(scene.site, read_policy(rule.encode()))
    scene.others_approve()
    beside = [1]
    scene.change_own(ready_elsewhere=lambda: beside[0])
    scene.wait()
    assert scene.workers == []
    assert scene.run.waiting.startswith("the end of another study: 1 study runs here")
    # the control: without the rule it goes on beside the other
    drop_policy(scene.site)
    scene.wait()
    assert len(scene.workers) == 1
    keep_policy(scene.site, read_policy(rule.encode()))
    beside[0] = 0
    scene.call()
    scene.wait()
    assert scene.ready() is not None
    assert scene.run.entering.ready
    # its word counts for two round deadlines, and another study waits for it no longer than that
    scene.clock.now += 121
    assert not scene.run.entering.ready
    drop_policy(scene.site)
