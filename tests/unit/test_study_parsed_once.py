"""How often the text of a study is parsed on its way from the researcher to its run."""

import re
import tomllib
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from consortium import NAMES, Consortium

from securefl.api import Study
from securefl.cli.main import cli
from securefl.node import requests
from securefl.node.agent import Agent
from securefl.node.policy import review
from securefl.node.requests import find_request

ME = NAMES[0]
_A_STUDY = re.compile(r'^schema = "securefl-(study|protocol)/', re.MULTILINE)


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


@pytest.fixture(scope="module")
def studies(c):
    return [c.new_study(name) for name in ("first", "second")]


@pytest.fixture
def parsed(monkeypatch):
    """The studies and protocols that were parsed; settings are TOML too and do not count."""
    texts = []
    loads = tomllib.loads

    def counting(text):
        if _A_STUDY.search(text):
            texts.append(text)
        return loads(text)

    monkeypatch.setattr(tomllib, "loads", counting)
    as_a_new_process()
    return texts


def as_a_new_process():
    """What an earlier test, or another command, has read is in the memory of no later one."""
    requests._parsed.cache_clear()


def test_making_a_study_parses_the_protocol_and_the_study(c, parsed):
    made = Study.new(
        c.lab, c.protocol, hospitals=list(NAMES), aggregator="sums", study_id="counted"
    )
    assert made.digest
    assert made.plan.study.study.id == "counted"
    assert parsed == [c.protocol.read_text(), made.text.decode()]


def test_the_researchers_list_parses_each_study_once(c, studies, parsed):
    assert {s.digest for s in c.lab.studies()} >= {s.digest for s in studies}
    assert len(parsed) == len(set(parsed))


def test_a_request_is_kept_without_parsing_it_again(c, studies, parsed):
    c.hand_over(studies[0], ME)
    assert parsed == []


def test_a_review_parses_the_kept_text_once(c, studies, parsed):
    c.hand_over(studies[0], ME)
    site = c.site(ME)
    try:
        _, sealed = find_request(site, studies[0].name)
        assert review(site, sealed, datetime.now(UTC)).digest == studies[0].digest
    finally:
        site.ledger.close()
    assert len(parsed) == 1


def test_agent_and_status_parse_each_approved_study_once(c, studies, parsed):
    for study in studies:
        c.hand_over(study, ME)
        c.approve(ME, study)
    parsed.clear()
    as_a_new_process()
    site = c.site(ME)
    agent = Agent(site)
    try:
        agent._take_up_approved()
        assert sorted(parsed) == sorted(s.text.decode() for s in studies)
        parsed.clear()
        agent._take_up_approved()
        assert parsed == []
    finally:
        agent._wind_up()
        site.ledger.close()
    as_a_new_process()
    shown = CliRunner().invoke(cli, ["site", "status", "--site", str(site.path), "--json", "-"])
    assert shown.exit_code == 0
    assert sorted(parsed) == sorted(s.text.decode() for s in studies)
