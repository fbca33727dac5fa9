"""A data owner refuses with an offer; nobody else can make one in a hospital's name, alter one or move
it to another study. Each forgery is taken by a reader that leaves its check out.
"""

import itertools
import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from click.testing import CliRunner
from consortium import NAMES, Consortium

from securefl.cli.main import cli
from securefl.errors import NotApprovedError, UsageError
from securefl.federation.offers import Offer
from securefl.federation.study_board import StudyBoard
from securefl.node.owner import offers, requests

ME, OTHER, _ = NAMES
NUMBERS = itertools.count(1)
TODAY = date(2026, 1, 3)
AT = "2026-01-31T12:00:00Z"


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("offers"))


@pytest.fixture
def here(c):
    site = c.site(ME)
    yield site
    site.ledger.close()


@pytest.fixture
def study(c):
    made = c.new_study(f"offered-{next(NUMBERS)}")
    c.hand_over(made, ME)
    return made


def offer(site, study, epsilon="0.001", until=None):
    plan = offers.plan_offer(site, study.digest, epsilon, until, TODAY)
    return offers.send_offer(site, plan)


def slot(c, study, site=ME):
    return StudyBoard(c.lab.folder.board, study.digest).offer(site)


def lay(c, study, data, site=ME):
    file = c.store_folder / "studies" / study.digest / "offers" / site
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def test_an_offer_refuses_the_request_and_reaches_the_researcher(c, here, study):
    sent = offer(here, study, "0.001", date(2026, 12, 31))
    assert (sent.epsilon, sent.closes) == ("0.001", "2026-12-31")
    assert study.offers() == [sent]
    assert (
        requests.review(here, study.digest, datetime.now(UTC)).state
        is requests.RequestState.REFUSED
    )
    with pytest.raises(NotApprovedError):
        offer(here, study)


@pytest.mark.parametrize(
    ("epsilon", "until"),
    [
        (None, None),
        ("100000", None),
        ("0", None),
        ("-1", None),
        ("nan", None),
        ("x", None),
        ("0.00000001", None),
        (None, TODAY),
        (None, date(9999, 1, 1)),
    ],
)
def test_what_is_no_less_is_refused_and_nothing_is_decided(here, study, epsilon, until):
    with pytest.raises(UsageError, match="Nothing was done"):
        offers.plan_offer(here, study.digest, epsilon, until, TODAY)
    waiting = requests.review(here, study.digest, datetime.now(UTC)).state
    assert waiting is requests.RequestState.WAITING


def test_an_offer_that_another_party_signs_is_not_shown(c, study):
    forged = Offer(study.digest, ME, "0.001", "", AT)
    for signer in (c.site(OTHER).identity, c.lab.folder.identity):
        data = forged.dump(signer.sign)
        lay(c, study, data)
        assert study.offers() == []
        # the control: a reader that leaves the signature out
        careless = Offer.open(data, verify=lambda *_: True, study=study.digest, site=ME)
        assert careless == forged


def test_an_offer_for_another_study_or_of_another_hospital_is_not_shown(c, here, study):
    moved = Offer("0" * 64, ME, "0.001", "", AT).dump(here.identity.sign)
    lay(c, study, moved)
    assert study.offers() == []
    lay(c, study, Offer(study.digest, ME, "0.001", "", AT).dump(here.identity.sign), OTHER)
    assert study.offers() == []
    # the control: the same hospital's word about this study, in its own place
    lay(c, study, Offer(study.digest, ME, "0.001", "", AT).dump(here.identity.sign))
    assert [found.site for found in study.offers()] == [ME]


def test_an_altered_offer_is_not_shown(c, here, study):
    data = Offer(study.digest, ME, "0.001", "", AT).dump(here.identity.sign)
    lay(c, study, data)
    assert len(study.offers()) == 1, "the control: unaltered"
    for altered in (data.replace(b"0.001", b"9.001"), data[:-1], b"", b"x" * 5000, b"{}"):
        lay(c, study, altered)
        assert study.offers() == []


@pytest.mark.parametrize(
    "change",
    [
        {"epsilon": "1e9"},
        {"epsilon": "-1"},
        {"closes": "soon"},
        {"closes": "<b>"},
        {"at": "x" * 99},
    ],
)
def test_fields_that_are_none_are_not_shown_though_their_hospital_signed(c, here, study, change):
    good = Offer(study.digest, ME, "0.001", "", AT)
    lay(c, study, replace(good, **change).dump(here.identity.sign))
    assert study.offers() == []


def test_the_commands_of_both_sides(c, study):
    folder = str(c.root / ME)
    words = ["site", "counter-offer", study.digest[:12], "--epsilon", "0.001"]
    asked = CliRunner().invoke(cli, [*words, "--site", folder])
    assert isinstance(asked.exception, UsageError), "nobody can be asked without a terminal"
    assert "a study of epsilon 0.001 at most" in asked.output
    done = CliRunner().invoke(cli, [*words, "--until", "2026-12-31", "--yes", "--site", folder])
    assert done.exit_code == 0, done.output
    assert "Nothing of it runs here" in done.output
    researcher = ["--researcher", str(c.root / "researcher")]
    shown = CliRunner().invoke(cli, ["study", "offers", study.name, *researcher])
    said = " ".join(shown.output.split())
    assert f"{ME}, " in said
    assert "a study of epsilon 0.001 at most that ends before 2026-12-31" in said
    told = CliRunner().invoke(cli, ["study", "offers", study.name, "--json", "-", *researcher])
    assert json.loads(told.stdout)["offers"][0]["epsilon"] == "0.001"
