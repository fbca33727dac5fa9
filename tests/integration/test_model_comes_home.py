"""At the end of a study each recipient that it names has the model, checked; a store that was away,
or a stranger, changes nothing. A later version grows from it.
"""

from __future__ import annotations

import json
import stat

import numpy as np
import pytest
from click.testing import CliRunner
from consortium import consortium

from securefl.api import Study
from securefl.boards.board import CarriedBoard
from securefl.cli.main import cli
from securefl.errors import NotApprovedError, StoreError
from securefl.federation import paths
from securefl.learning.artefact import load_model
from securefl.learning.models import weights_sha256
from securefl.node.models import list_models

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    with consortium(tmp_path_factory.mktemp("home")) as made:
        yield made


def states(c, name, study):
    site = c.site(name)
    try:
        return {row.digest: row for row in list_models(site)}.get(study.digest)
    finally:
        site.ledger.close()


def came(c, name, study):
    row = states(c, name, study)
    return row is not None and row.state == "here"


def test_every_participant_gets_the_checked_model_and_its_owner_sees_exact_figures(c):
    study = c.new_study("home")
    c.ready(study)
    result = c.run(study)
    assert result.sent_to == c.names
    c.until(lambda: all(came(c, name, study) for name in c.names), "the model at every hospital")
    first = c.names[0]
    for name in c.names:
        row = states(c, name, study)
        assert load_model(row.folder).digest == result.model.digest
        np.testing.assert_array_equal(load_model(row.folder).theta, result.model.theta)
        assert stat.S_IMODE(row.folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in row.folder.iterdir()} == {0o600}
        assert not (c.root / name / "studies" / study.digest / "verified").exists()
        assert "every check of it holds" in c.log(name)
    site = ["--site", str(c.root / first)]
    assert f"{study.name}  here" in c.cli("site", "model", "list", *site)
    html = c.root / "home.html"
    shown = c.cli("site", "model", "show", "home", "--html", str(html), *site)
    assert "These figures have no noise" in html.read_text("utf-8")
    for words in (
        "What was released",
        "On your own patients, exactly",
        "These figures have no noise",
    ):
        assert words in shown
    own = json.loads(c.cli("site", "model", "show", "home", "--json", "-", *site))["own"]
    assert own["patients"] == sum(band["patients"] for band in own["bands"]) > 0
    assert own["positives"] == sum(band["positives"] for band in own["bands"])
    scores = json.loads(
        c.cli("site", "model", "predict", "home", str(c.table(first)), "--json", "-", *site)
    )["scores"]
    assert len(scores) == 80
    made = json.loads(c.cli("site", "personalize", "home", "--json", "-", *site))
    assert (made["digest"], made["model"]) == (study.digest, result.model.digest)
    assert made["models"]["global"]["figure"]["value"] == pytest.approx(own["auc"])
    kept = json.loads(
        c.cli("predict", "home", str(c.table(first)), "--json", "-", "--site", site[1])
    )
    assert kept["model"] == made["kept"]
    assert (kept["scores"] == scores) is (kept["model"] == "global")
    c.table(first).rename(c.root / "away.csv")
    assert "cannot be worked out" in c.cli("site", "model", "show", "home", *site)
    (c.root / "away.csv").rename(c.table(first))


def test_who_is_no_recipient_gets_nothing_and_keeps_nothing(c):
    first, second, third = c.names
    study = c.new_study(
        "some", ('recipients = ["participants"]', f'recipients = ["{first}", "aggregator"]')
    )
    c.ready(study)
    result = c.run(study)
    assert result.sent_to == (first, "sums")
    c.until(lambda: came(c, first, study), "the model at its recipient")
    aggregator = ("--aggregator", str(c.root / "sums"))
    for _ in range(2):  # the second time it is there
        assert "The model is in" in c.cli("aggregator", "model", "some", *aggregator)
    assert load_model(c.root / "sums" / "models" / study.name).digest == result.model.digest
    assert "No study that names this aggregator" in c.cli(
        "aggregator", "model", "home", *aggregator, code=2
    )
    c.ended(study, *c.names, status="completed")
    for name in (second, third):
        assert states(c, name, study) is None
        assert not (c.root / name / "studies" / study.digest / "verified").exists()


def test_a_model_that_comes_late_comes_all_the_same(c):
    study = c.new_study("late")
    c.ready(study)
    put_file, told = CarriedBoard.post_file, []

    def away(store, path, source):
        if path == paths.model_sealed(study.digest):
            raise StoreError("The store takes no large object now.")
        put_file(store, path, source)

    with pytest.MonkeyPatch.context() as during:
        during.setattr(CarriedBoard, "post_file", away)
        during.setattr("securefl.researcher.delivery.persist", lambda work, _seconds: work())
        result = study.run(model_folder=c.root / "late model", warn=told.append)
    assert any("was not sent" in text for text in told)
    c.ended(study, *c.names, status="completed")
    c.until(lambda: all(states(c, name, study) for name in c.names), "the model being expected")
    assert {states(c, name, study).state for name in c.names} == {"expected"}
    assert "looked for until" in c.cli("site", "model", "list", "--site", str(c.root / c.names[0]))
    study.report()
    c.until(lambda: all(came(c, name, study) for name in c.names), "the model, late")
    assert load_model(states(c, c.names[0], study).folder).digest == result.model.digest


def typed(*words):
    """A command in this process: what it writes; its error is raised."""
    done = CliRunner().invoke(cli, [str(word) for word in words], env={"COLUMNS": "200"})
    if done.exception is not None:
        raise done.exception
    return " ".join(done.stdout.split())


def told(*words):
    return json.loads(typed(*words, "--json", "-"))


def test_a_later_version_grows_from_the_model_that_came_home(c):
    """The study ``home`` above is continued, by the same agents."""
    first, *others = c.names
    before = c.lab.study("home")
    start = load_model(states(c, first, before).folder)
    study = Study.new(
        c.lab,
        c.root / "home.toml",
        hospitals=list(c.names),
        aggregator="sums",
        study_id="later",
        continues="home",
    )
    c.request(study)
    site = ("--site", str(c.root / first))
    page = typed("site", "review", "later", *site)
    assert "worked out that model itself when the earlier study ran" in page
    c.ready_after_request(study)
    result = c.run(study)
    assert result.outcome.records[0].model_sha256 == weights_sha256(start.theta)
    assert result.model.facts.continues == before.digest
    c.until(lambda: all(came(c, name, study) for name in c.names), "the later model")
    for name in c.names:
        assert c.state(name, study).charged == c.state(name, before).charged > 0
    typed("site", "model", "predict", "home", c.table(first), *site)
    typed("site", "model", "predict", "later", c.table(first), *site)
    found = {model["name"]: model for model in told("site", "models", *site)["models"]}
    older, newer = found[before.name], found[study.name]
    assert (older["in_use"], older["newer"], newer["in_use"]) == (False, study.name, True)
    for folder in (site[1], str(c.root / "researcher")):
        line = told("model", "versions", "home", "--folder", folder)["versions"]
        assert [(one["digest"], one["state"]) for one in line] == [
            (before.digest, "usable"),
            (study.digest, "usable"),
        ]
    assert f"{study.name} continues {before.name}" in typed("audit", *site)
    assert study.report()["continues"] == before.digest
    # one hospital takes it from itself alone
    reason = ("--reason", "The laboratory changed its scale.")
    typed("site", "model", "recall", "later", *reason, "--yes", *site)
    with pytest.raises(NotApprovedError, match="changed its scale"):
        typed("site", "model", "predict", "later", c.table(first), *site)
    elsewhere = ("--site", c.root / others[0])
    typed("site", "model", "predict", "later", c.table(others[0]), *elsewhere)
    # the agents of the others find it in the store, and a second recall makes more than half
    c.until(lambda: recalled_at(c, others[0], study) == [first], "the recall at another hospital")
    typed("site", "model", "recall", "later", *reason, "--yes", *elsewhere)
    with pytest.raises(NotApprovedError, match="changed its scale"):
        typed("site", "model", "predict", "later", c.table(others[0]), *elsewhere)
    assert len(study.report()["notices"]) == 2
    c.until(lambda: len(recalled_at(c, others[1], study)) == 2, "both at the third")


def recalled_at(c, name, study):
    """Hospitals whose recall lies at that one."""
    return [said.site for said in states(c, name, study).standing.recalls]
