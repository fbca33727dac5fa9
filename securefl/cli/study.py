"""``securefl study``: everything a researcher does, on the same door as the Python session
(:mod:`securefl.api`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from securefl.cli.nouns import speak_as_file
from securefl.cli.screen import card_options, json_option, say, say_quoted, write_json
from securefl.cli.store_route import route_of, route_options
from securefl.cli.study_archive import archive
from securefl.cli.study_attach import attach
from securefl.cli.study_design import study_design
from securefl.cli.study_dossier import dossier
from securefl.cli.study_file import check, plan, say_unwritten
from securefl.cli.study_flower import study_flower
from securefl.cli.study_folder import folder_hint, open_lab, open_study, researcher_option
from securefl.cli.study_life import cancel, clone, compare, list_studies
from securefl.cli.study_live import curves, live_facts, live_json, look_on
from securefl.cli.study_metrics import metrics
from securefl.cli.study_offers import offers
from securefl.cli.study_questions import answer, questions
from securefl.cli.study_report import report
from securefl.cli.study_run import run
from securefl.cli.study_service import service
from securefl.cli.study_simulate import simulate
from securefl.cli.study_sweep import sweep
from securefl.cli.study_template import study_template
from securefl.cli.study_verify import verify
from securefl.files import read_given


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
@route_options
def init(
    *,
    directory: Path,
    name: str,
    legal_name: str,
    email: str,
    store: str,
    store_proxy: str,
    store_ca: str,
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
        route=route_of(store_proxy, store_ca),
    )
    say(
        f"{directory} is the folder of {name} now. Give {directory}/keys/card.json to every"
        " hospital and read them its fingerprint:"
    )
    say(f"  {made.identity.card.spoken}")
    say("Next: securefl study trust CARD, for each card that you were given.")


@study.command()
@card_options
@researcher_option
def trust(
    *,
    cards: tuple[Path, ...],
    fingerprint: str | None,
    vouch: Path | None,
    yes: bool,
    remove: str | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Add identity cards of hospitals and aggregators to your own signed list; without a card, show
    the list.
    """
    from securefl.cli.cards import trust_cards

    trust_cards(
        open_lab(folder).folder.book,
        cards,
        fingerprint=fingerprint,
        vouch=vouch,
        yes=yes,
        remove=remove,
        json_file=json_file,
    )


@study.command()
@click.argument("sites", nargs=-1, required=True)
@researcher_option
def ask(sites: tuple[str, ...], folder: str | None) -> None:
    """Ask datasites to accept you as a peer.

    They do once their owner trusts your card and their agent runs. A hospital without PySyft has no
    datasite and needs no asking.
    """
    from securefl.cli.steady import steady_screen

    lab = open_lab(folder)
    with steady_screen(lab.folder.path / "researcher.log"):
        lab.ask(*sites)
        say(f"Asked {', '.join(sites)}. Next: securefl study datasets{folder_hint(folder)}")


@study.command()
@json_option
@researcher_option
def datasets(json_file: str | None, folder: str | None) -> None:
    """List the data sets that hospitals show, with their columns. The rows in them are invented.

    Each is checked against its hospital's signature. One that does not hold is named, and nothing
    of it is shown.
    """
    from securefl.report.explain_columns import column_words

    found = open_lab(folder).datasets()
    if json_file:
        write_json(
            {
                "datasets": [
                    {
                        "site": d.site,
                        "name": d.name,
                        "description": d.description,
                        "fault": d.fault,
                        "without_pysyft": d.without_pysyft,
                    }
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
        way = ", shown without PySyft," if item.without_pysyft else ""
        say(f"{item.site}/{item.name}: {len(item.mock())} invented rows{way} with these columns:")
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
@click.option(
    "--agreement",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The consortium's agreement.toml: the study is made under it, and checked against it.",
)
@click.option(
    "--continues",
    metavar="STUDY",
    help="A completed study of this folder: the new one starts from its released model.",
)
@researcher_option
def new(
    *,
    protocol: Path,
    hospitals: tuple[str, ...],
    aggregator: str,
    study_id: str | None,
    weights: tuple[str, ...],
    weight_source: str | None,
    agreement: Path | None,
    continues: str | None,
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

    lab = open_lab(folder)
    speak_as_file(read_given(protocol))
    made = Study.new(
        lab,
        protocol,
        hospitals=hospitals,
        aggregator=aggregator,
        study_id=study_id,
        weights=read_weights(weights),
        weight_source=weight_source,
        agreement=agreement,
        continues=continues,
    )
    say(f"Made {made.name}. Any edit makes it another study.")
    say(f"  digest  {made.digest}")
    say_unwritten(made.file)
    say(
        f"Next: securefl study check {made.folder / 'study.toml'}   then   securefl study request"
        f" {made.name}{folder_hint(folder)}"
    )


@study.command()
@click.argument("name")
@researcher_option
def request(name: str, folder: str | None) -> None:
    """Send the request to every hospital's datasite, through PySyft, and invite the aggregator.

    A hospital without PySyft takes the signed request off the store.
    """
    found = open_study(folder, name)
    jobs = found.request()
    if jobs:
        say(f"Sent {found.name} to {', '.join(jobs)}. Each owner reads it and decides.")
    if off_board := ", ".join(found.without_pysyft()):
        say(f"Without PySyft, by your signed request in the store: {off_board}.")
    if had := ", ".join(s for s in found.file.cohort if s not in jobs):
        say(f"Sent before, and not again: {had}.")
    say(f"Next: securefl study status {found.name}{folder_hint(folder)}")


@study.command()
@click.argument("name")
@click.option(
    "--live",
    is_flag=True,
    help="Look on at the run until it is over: how far, whom it waits for and since when.",
)
@json_option
@researcher_option
def status(
    *,
    name: str,
    live: bool,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Show who has approved, who waits, and what each datasite says.

    With --live the run itself: Ctrl-C ends the look and not the run.
    """
    from securefl.report.approvals import answer_words
    from securefl.report.codes import SHOWN_WORDS

    found = open_study(folder, name)
    if live:
        if json_file:
            write_json(live_json(live_facts(found, datetime.now(UTC))), json_file)
        if json_file != "-":
            look_on(found)
        return
    signed = found.status()
    shown = found.pysyft_status()
    run_said = found.run_status()
    off_board = found.without_pysyft()
    if json_file:
        write_json(
            {
                "study": found.name,
                "digest": found.digest,
                "signed": signed,
                "pysyft": shown,
                "without_pysyft": list(off_board),
                "run": run_said,
            },
            json_file,
        )
        if json_file == "-":
            return
    width = max(map(len, signed))
    causes = found.causes()
    for site, word in signed.items():
        code = word
        if run_said and word == "approved":
            code = "over"
        words = answer_words(code, causes.get(site))
        at = shown.get(site, "").partition(":")[0]
        datasite = f"its datasite: {SHOWN_WORDS.get(at, 'nothing yet')}"
        if site in off_board:
            datasite = "it has no datasite (without PySyft)"
        say(f"{site:<{width}}  {words}; {datasite}")
    if run_said:
        say(run_said)


for _command in (
    check,
    list_studies,
    compare,
    clone,
    cancel,
    study_design,
    study_template,
    dossier,
    plan,
    simulate,
    sweep,
    questions,
    offers,
    answer,
    run,
    attach,
    curves,
    metrics,
    service,
    report,
    verify,
    archive,
    study_flower,
):
    study.add_command(_command)
