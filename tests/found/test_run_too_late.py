"""After the last approval nobody types `securefl study run` for longer than two round deadlines: it
cost every budget and the study was dead.
"""

import pytest
from consortium import Consortium
from running_study import study_scene


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


@pytest.fixture
def scene(hospitals, request):
    yield from study_scene(hospitals, request)


def test_a_researcher_who_comes_back_late_costs_nothing_and_finds_the_study_alive(scene):
    used = scene.site.ledger.state.used("clinic")
    scene.others_approve()
    deadline = scene.study.file.schedule.round_deadline
    for _ in range(10):
        scene.wait(deadline)
    assert not scene.ledger_says.started
    assert "prepare" not in scene.worker.did
    assert "the researcher, who has not started the run yet" in scene.run.waiting
    assert scene.site.ledger.state.used("clinic") == used
    scene.call()
    scene.wait()
    scene.others_ready()
    scene.announce()
    scene.run.step()
    assert scene.ledger_says.started
    scene.make()
    scene.run.step()
    assert scene.sent()


def test_a_researcher_who_calls_and_goes_away_again_costs_nothing_either(scene):
    scene.enter()
    for _ in range(10):
        scene.wait(scene.study.file.schedule.round_deadline)
    assert not scene.ledger_says.started
    nonce = scene.call()  # another run of `securefl study run`
    scene.wait()
    assert scene.ready().call == nonce
