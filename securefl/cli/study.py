"""``securefl study``: everything a researcher does, on the same door as the Python session
(:mod:`securefl.api`).
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.screen import (
    card_options,
    folder_option,
    html_option,
    json_option,
    say,
    say_quoted,
    screen,
    show_page,
    write_json,
)
from securefl.cli.study_verify import verify
from securefl.errors import ExitCode, UsageError
from securefl.files import read_given

if TYPE_CHECKING:
    from securefl.api import Lab, Study
    from securefl.federation.coordinator import RoundRecord

#: Seconds of a round after which the bar says whom it waits for.
_SILENCE = 3.0
_researcher_option = folder_option("researcher", "SECUREFL_RESEARCHER")


def _lab(folder: str | None) -> Lab:
    from securefl.api import connect
    from securefl.party.folder import find_folder

    return connect(find_folder(folder, "SECUREFL_RESEARCHER"))


def _there(folder: str | None) -> str:
    """The option that makes a next command work from where this one was typed."""
    if folder:
        return f" --researcher {folder}"
    return ""


@click.group()
def study() -> None:
    """A researcher: make a study, request it, run it, report.

    The order: init, exchange cards and `trust` them, `ask` the hospitals' datasites, look at
    `datasets`, then `new`, `request`, `run`, `report`.
    """


@study.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Short name, as in studies.")
@click.option("--legal-name", required=True, help="Your institution and name.")
@click.option("--email", required=True, help="Your address for the card; no mail is sent.")
@click.option("--store", required=True, help="The store that the hospitals use.")
def init(
    directory: Path,
    name: str,
    legal_name: str,
    email: str,
    store: str,
) -> None:
    """Make a researcher's folder: keys and a card to give to the hospitals."""
    from securefl.party.folder import PartyFolder

    directory = directory.absolute()
    made = PartyFolder.create(
        directory,
        name=name,
        role="researcher",
        legal_name=legal_name,
        email=email,
        store=store,
    )
    say(
        f"{directory} is the folder of {name} now. Give {directory}/keys/card.json to every"
        " hospital and read them its fingerprint:"
    )
    say(f"  {made.identity.card.spoken}")
    say("Next: securefl study trust CARD, for each card that you were given.")


@study.command()
@card_options
@_researcher_option
def trust(
    cards: tuple[Path, ...],
    fingerprint: str | None,
    yes: bool,
    remove: str | None,
    folder: str | None,
) -> None:
    """Add identity cards of hospitals and aggregators to your own signed list; without a card, show
    the list.
    """
    from securefl.cli.cards import trust_cards

    trust_cards(
        _lab(folder).folder.book,
        cards,
        fingerprint=fingerprint,
        yes=yes,
        remove=remove,
    )


@study.command()
@click.argument("sites", nargs=-1, required=True)
@_researcher_option
def ask(sites: tuple[str, ...], folder: str | None) -> None:
    """Ask datasites to accept you as a peer.

    They do once their owner trusts your card and their agent runs.
    """
    from securefl.cli.steady import steady_screen

    lab = _lab(folder)
    with steady_screen(lab.folder.path / "researcher.log"):
        lab.ask(*sites)
        say(f"Asked {', '.join(sites)}. Next: securefl study datasets{_there(folder)}")


@study.command()
@json_option
@_researcher_option
def datasets(json_file: str | None, folder: str | None) -> None:
    """List the data sets that hospitals show, with their columns. The rows in them are invented.

    Each is checked against its hospital's signature. One that does not hold is named, and nothing
    of it is shown.
    """
    from securefl.report.explain_study import column_words

    found = _lab(folder).datasets()
    if json_file:
        write_json(
            {
                "datasets": [
                    {"site": d.site, "name": d.name, "description": d.description, "fault": d.fault}
                    for d in found
                ]
            },
            json_file,
        )
        if json_file == "-":
            return
    for item in found:
        if item.fault:
            say(f"{item.site}/{item.name}: NOT SHOWN. {item.fault}")
            continue
        say(f"{item.site}/{item.name}: {len(item.mock())} invented rows with these columns:")
        say_quoted(", ".join(column_words(c) for c in item.description["columns"]))
    if not found:
        say("No data set is shown to you yet: ask the hospitals' owners to trust your card.")


@study.command()
@click.argument("protocol", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--hospital",
    "hospitals",
    multiple=True,
    required=True,
    help="A participant; repeat for each.",
)
@click.option("--aggregator", required=True, help="Who adds the ciphertexts.")
@click.option(
    "--id",
    "study_id",
    help="Another id than the protocol's; the same protocol then makes another study.",
)
@click.option(
    "--weight",
    "weights",
    metavar="NAME=SHARE",
    multiple=True,
    help="A hospital's share of the normaliser, as Nord=1/5; for each or for none (equal).",
)
@click.option("--weight-source", help="The published figures that the weights follow.")
@_researcher_option
def new(
    *,
    protocol: Path,
    hospitals: tuple[str, ...],
    aggregator: str,
    study_id: str | None,
    weights: tuple[str, ...],
    weight_source: str | None,
    folder: str | None,
) -> None:
    """Make a study from a protocol: participants, keys, initial weights and software are added, and
    it is sealed.

    A hospital's weight is its share of the patients that the study expects in a batch: equal
    shares, or what published figures say (never the rows of a private table). Weights add up to
    exactly 1.
    """
    from securefl.api import Study
    from securefl.study.shares import read_weights

    made = Study.new(
        _lab(folder),
        protocol,
        hospitals=hospitals,
        aggregator=aggregator,
        study_id=study_id,
        weights=read_weights(weights),
        weight_source=weight_source,
    )
    say(f"Made {made.name}. Any edit makes it another study.")
    say(f"  digest  {made.digest}")
    say(
        f"Next: securefl study check {made.folder / 'study.toml'}   then   securefl study request"
        f" {made.name}{_there(folder)}"
    )


@study.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@html_option
def check(file: Path, html_file: str | None) -> None:
    """Check a protocol or study file and say in plain words what it means; each error names the
    line and the mend.
    """
    from securefl.privacy.accounting import PldAccountant
    from securefl.report.study import study_page
    from securefl.study.consistency import check_consistency
    from securefl.study.dates import check_not_over
    from securefl.study.sealed import SealedStudy, read_any

    text = read_given(file)
    found = read_any(text)
    check_consistency(found.study, PldAccountant(), text.decode())
    check_not_over(found.study, datetime.now(UTC), text.decode())
    digest = found.digest if isinstance(found, SealedStudy) else None
    show_page(study_page(found.study, digest), html_file)
    say("The file is valid and its figures agree.")


@study.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--svg",
    "svg_file",
    metavar="FILE",
    help="Also draw epsilon against rounds, as an SVG picture.",
)
@html_option
@json_option
def plan(
    file: Path,
    svg_file: str | None,
    html_file: str | None,
    json_file: str | None,
) -> None:
    """Show what a protocol or study would cost at every hospital, what its noise does, and what a
    longer one would cost.
    """
    from securefl.cli.screen import write_page, write_text
    from securefl.learning.stages.programme import charges_of
    from securefl.privacy.accounting import PldAccountant
    from securefl.report.plan import plan_page, plan_study
    from securefl.report.plan_picture import plan_svg
    from securefl.study.consistency import contradictions
    from securefl.study.parse import parse_any

    text = read_given(file)
    found = parse_any(text)
    made = plan_study(
        found, charges_of(found), contradictions(found, PldAccountant(), text.decode())
    )
    if svg_file:
        write_text(plan_svg(made), svg_file)
    if json_file:
        write_json(made.to_json(), json_file)
    if json_file != "-":
        show_page(plan_page(made), html_file)
    elif html_file:
        write_page(plan_page(made), html_file)


@study.command()
@click.argument("name")
@_researcher_option
def request(name: str, folder: str | None) -> None:
    """Send the request to every hospital's datasite, through PySyft, and invite the aggregator."""
    found = _lab(folder).study(name)
    jobs = found.request()
    if jobs:
        say(f"Sent {found.name} to {', '.join(jobs)}. Each owner reads it and decides.")
    if had := ", ".join(s for s in found.file.cohort if s not in jobs):
        say(f"Sent before, and not again: {had}.")
    say(f"Next: securefl study status {found.name}{_there(folder)}")


@study.command()
@click.argument("name")
@json_option
@_researcher_option
def status(name: str, json_file: str | None, folder: str | None) -> None:
    """Show who has approved, who waits, and what each datasite says."""
    from securefl.report.codes import SHOWN_WORDS, code_words

    found = _lab(folder).study(name)
    signed, shown, run_said = found.status(), found.pysyft_status(), found.run_status()
    if json_file:
        write_json(
            {
                "study": found.name,
                "digest": found.digest,
                "signed": signed,
                "pysyft": shown,
                "run": run_said,
            },
            json_file,
        )
        if json_file == "-":
            return
    width, causes = max(map(len, signed)), found.causes()
    for site, word in signed.items():
        code = word
        if run_said and word == "approved":
            code = "over"
        first = causes.get(site)
        words = (
            f"ended its part, since {first[0]} {code_words(first[1])}"
            if first
            else code_words(code)
        )
        at = shown.get(site, "").partition(":")[0]
        say(f"{site:<{width}}  {words}; its datasite: {SHOWN_WORDS.get(at, 'nothing yet')}")
    if run_said:
        say(run_said)


@study.command()
@click.argument("name")
@click.option(
    "--wait",
    "seconds",
    default=0.0,
    show_default=True,
    help="Seconds to wait for missing approvals.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The model's folder; by default 'model' in your folder.",
)
@json_option
@_researcher_option
def run(
    name: str,
    seconds: float,
    out: Path | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Run an approved study: you receive one sum a round, and at the end a model with its audit
    extracts.

    It goes on when its screen is gone (a closed terminal, a closed pipe); what could not be shown
    is in the study's run.log. The first Ctrl-C says what stopping costs; the second within five
    seconds ends the study for all. Exit code 12 when the study's quality rule is not met, or cannot
    be judged on the interval.
    """
    from securefl.cli.steady import steady_screen
    from securefl.researcher.run_study import RUN_LOG

    found = _lab(folder).study(name)
    found.place(out)  # before anybody waits
    with steady_screen(found.folder / RUN_LOG):
        _run(found, seconds=seconds, out=out, json_file=json_file, hint=_there(folder))


def _run(
    found: Study,
    *,
    seconds: float,
    out: Path | None,
    json_file: str | None,
    hint: str,
) -> None:
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from securefl.report.explain_study import units
    from securefl.report.quality import quality_words
    from securefl.report.run import extracts_page, outcome_page
    from securefl.researcher.progress import round_lines

    found.wait(seconds=seconds)
    file = found.file
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=screen(),
    )
    with bar:
        task = bar.add_task("rounds", total=found.plan.last_round)
        line = round_lines(found.plan)

        def watch(record: RoundRecord) -> None:
            bar.update(task, description="rounds")
            bar.console.print(line(record), markup=False)
            bar.advance(task)

        result = found.run(
            watch=watch,
            model_folder=out,
            warn=lambda text: bar.console.print(text, markup=False),
            waiting=lambda who: bar.update(
                task, description=escape(str(who)) if who.seconds >= _SILENCE else "rounds"
            ),
        )
    show_page(
        outcome_page(
            result.told,
            model_dir=str(result.folder),
            study_title=file.study.title,
            quality=result.quality,
            quality_minimum=file.quality.minimum,
            found=[row for r in result.outcome.results for row in r.rows(units(file))],
            lost=result.lost,
        )
    )
    show_page(extracts_page(result.extracts, file.cohort))
    say(f"The whole extracts: securefl study report {found.name}{hint}")
    say(f"Next: securefl predict {result.folder} TABLE.csv   (a table with the model's columns)")
    if json_file:
        write_json(found.report(), json_file)
    if result.quality != "met":
        say(
            "The model is there, and the study's quality rule is not:"
            f" {quality_words(result.quality, file.quality.minimum)}."
        )
        sys.exit(int(ExitCode.QUALITY))


@study.command()
@click.argument("name")
@json_option
@_researcher_option
def report(name: str, json_file: str | None, folder: str | None) -> None:
    """Show a completed study again: figures, model, and each hospital's audit extract."""
    from securefl.report.audit import extract_page
    from securefl.report.quality import quality_words
    from securefl.report.run import lost_words

    found = _lab(folder).study(name)
    result = found.report()
    if json_file:
        write_json(result, json_file)
        if json_file == "-":
            return
    figure = result["figure"]
    say(found.name)
    say_quoted(found.file.study.title)
    say(f"{figure['name']}: {figure['words']}; model in {result['model']}")
    if quality := result.get("quality"):
        say(f"Asked for: {quality_words(quality['verdict'], Decimal(quality['minimum']))}")
    if result.get("lost"):
        say(f"Lost: {lost_words(result['lost'])}")
    if not result["extracts"]:
        raise UsageError(
            "No audit extract has come.", next_step="Ask the hospitals whether their agents run."
        )
    for site, extract in result["extracts"].items():
        say(f"\n{site}")
        show_page(extract_page(extract))


study.add_command(verify)
