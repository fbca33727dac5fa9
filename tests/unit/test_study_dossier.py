"""Papers of a study: drafts whose figures are the study's, with a marked blank for all else."""

import json
import re
from decimal import Decimal

import pytest
from click.testing import CliRunner
from conftest import make_study, protocol_text

from securefl.cli.main import cli
from securefl.learning.stages.programme import charges_of
from securefl.report.dossier import PAPERS, dossier_of
from securefl.report.dossier_parts import DossierFacts, blank, blanks
from securefl.report.markdown import markdown
from securefl.report.page import Quoted, facts, page
from securefl.report.plan import plan_page, plan_study
from securefl.report.study import study_page
from securefl.report.terminal import plain_text
from securefl.study.parse import parse_protocol
from securefl.study.sealed import SealedStudy

LAW = re.compile(r"articles? \d+[^.;]*|(?<!\S)\d+(?:\(\d+\))+|^#* *\d+\\?\. ", re.MULTILINE)
NUMBER = re.compile(r"\d[\d,.]*\d|\d")


def given(text):
    found = SealedStudy.read(text)
    return DossierFacts(found.study, found.digest, plan_study(found.study, charges_of(found.study)))


@pytest.fixture(scope="module")
def facts_of():
    return given(make_study()[0])


@pytest.fixture(scope="module")
def made(facts_of):
    return dossier_of(facts_of)


def numbers(paper):
    """Numbers of a page, without those of the law and of its own headings."""
    return set(NUMBER.findall(LAW.sub("", markdown(paper))))


def known(about):
    """Numbers that the study's own pages show."""
    pages = study_page(about.study, about.digest), plan_page(about.plan)
    return {n for shown in pages for n in NUMBER.findall(plain_text(shown, 5000, most=5000))}


def test_each_paper_says_that_it_is_a_draft_and_no_legal_advice(made):
    assert [paper.name for paper in made.papers] == list(PAPERS)
    for paper in made.papers:
        for text in paper.files.values():
            assert b"Not legal advice" in text
        assert "(draft)" in paper.title
    assert made.to_json()["legal_advice"] is False


def test_every_figure_is_one_of_the_studys_own(made, facts_of):
    software = facts_of.study.software.securefl
    allowed = known(facts_of) | {software}
    for paper in made.papers:
        assert numbers(paper.page) - allowed == set(), paper.name


def test_a_made_up_figure_would_be_found(facts_of):
    wrong = page("A paper", facts([("Patients", "about 4,711 of them")]))
    assert numbers(wrong) - known(facts_of) == {"4,711"}


def test_another_epsilon_gives_other_figures():
    def texts(epsilon):
        study = parse_protocol(protocol_text().encode())
        privacy = study.privacy.model_copy(update={"epsilon": Decimal(epsilon)})
        study = study.model_copy(update={"privacy": privacy})
        made = dossier_of(DossierFacts(study, None, plan_study(study, charges_of(study))))
        found = [paper.files[f"{paper.name}.md"].decode() for paper in made.papers]
        return [text for text in found if "coin-flip guess" in text]

    # as anybody can work out: e/(1+e) for epsilon 1, e^3/(1+e^3) for 3
    assert len(texts("1")) == 4
    assert all("from 50 % to at most 73 %" in text for text in texts("1"))
    assert all("from 50 % to at most 95.3 %" in text for text in texts("3"))
    assert not any("73 %" in text for text in texts("3"))


def test_what_is_listed_as_blank_is_marked_on_the_paper(made):
    for paper in made.papers:
        assert paper.blanks
        for text in paper.files.values():
            assert text.decode().count("to fill in: ") >= len(paper.blanks)
    one = page("A paper", facts([("Who", blank("name")), ("Told", Quoted("[to fill in: x]"))]))
    assert list(blanks(one)) == ["name"], "a researcher's words make no blank"


def test_a_sealed_study_names_its_parties_and_digest(made, facts_of):
    for paper in made.papers:
        text = paper.files[f"{paper.name}.md"].decode()
        assert facts_of.digest in text
        for party in facts_of.study.participants:
            assert party.legal_name in text


def test_a_figure_for_one_row_is_never_told_as_one_for_a_patient():
    text = protocol_text().replace('unit = "patient"', 'unit = "record"', 1)
    study = parse_protocol(text.encode())
    made = dossier_of(DossierFacts(study, None, plan_study(study, charges_of(study))))
    for paper in made.papers:
        if "guess" in paper.files[f"{paper.name}.md"].decode():
            assert b"ONE ROW" in paper.files[f"{paper.name}.md"], paper.name


@pytest.fixture
def protocol(tmp_path):
    file = tmp_path / "protocol.toml"
    file.write_text(protocol_text())
    return file


def run(*words):
    return CliRunner().invoke(cli, ["study", "dossier", *map(str, words)])


def test_the_command_writes_each_paper_twice_for_its_owner_alone(tmp_path, protocol):
    done = run(protocol, "--to", tmp_path / "papers", "--json", "-")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    files = [name for paper in told["papers"] for name in paper["files"]]
    assert sorted(files) == sorted(f.name for f in (tmp_path / "papers").iterdir())
    assert len(files) == 2 * len(PAPERS)
    assert all((tmp_path / "papers" / name).stat().st_mode & 0o777 == 0o600 for name in files)
    assert told["figures"]["epsilon"] > 0


def test_a_paper_that_somebody_filled_in_is_not_written_over(tmp_path, protocol):
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "ethics-summary.md").write_text("filled in")
    done = run(protocol, "--to", papers)
    assert done.exit_code != 0
    assert [f.name for f in papers.iterdir()] == ["ethics-summary.md"]
    assert (papers / "ethics-summary.md").read_text() == "filled in"


def test_figures_that_contradict_each_other_make_no_papers(tmp_path, protocol):
    text = protocol.read_text()
    wrong = text.replace('noise_multiplier = "', 'noise_multiplier = "9', 1)
    assert wrong != text
    protocol.write_text(wrong)
    done = run(protocol, "--to", tmp_path / "papers")
    assert done.exit_code != 0
    assert not (tmp_path / "papers").exists()
