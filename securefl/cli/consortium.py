"""``securefl consortium``: an agreement from the first draft to the last notice, for every role."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.consortium_join import say_trust
from securefl.cli.consortium_party import option_of, own_folder, party_options, required_folder
from securefl.cli.consortium_ready import ready
from securefl.cli.consortium_vouch import vouch
from securefl.cli.screen import (
    confirm,
    html_option,
    json_option,
    say,
    say_quoted,
    show_page,
    write_json,
)
from securefl.errors import StudyError, UsageError

if TYPE_CHECKING:
    from securefl.party.consortium import ConsortiumFolder
    from securefl.party.consortium_drafts import Draft
    from securefl.party.folder import PartyFolder

_folder = click.argument("directory", type=click.Path(path_type=Path))
_yes = click.option("--yes", is_flag=True, help="You have read the lines that are shown.")


@click.group()
def consortium() -> None:
    """An agreement that all parties sign, and that each hospital's machine holds.

    The order: new, edit the two files, invite; then every party: join, sign, check; every hospital:
    enforce. Later: amend, leave. Who cannot be telephoned: vouch.
    """


@consortium.command()
@_folder
@click.option("--id", "consortium_id", required=True, help="Short name of the consortium.")
@click.option("--title", required=True, help="Its name in full.")
@click.option("--population", required=True, help="The patients whom it covers.")
@click.option("--country", required=True, help="Of parties and stores, like DE.")
@click.option("--hospitals", default=5, show_default=True, help="How many you expect.")
def new(
    *,
    directory: Path,
    consortium_id: str,
    title: str,
    population: str,
    country: str,
    hospitals: int,
) -> None:
    """Write a starter folder: agreement, prose, a first study."""
    from datetime import UTC, datetime

    from securefl.party.consortium_drafts import Founding, found

    now = datetime.now(UTC)
    found(directory, Founding(consortium_id, title, population, country, hospitals, now))
    say(f"{directory} is the folder of the consortium {consortium_id} now.")
    say("  agreement.toml    the articles, which machines hold: edit the figures")
    say("  agreement.md      the promises between people: write them")
    say("  checklists/       what each party does, in order")
    say("  first-study/      a study to start with: it only counts")
    say("Next: ask every party for its card, then")
    say(
        f"  securefl consortium invite {directory} CARD... --country {country} --to invitation.json"
    )


@consortium.command()
@_folder
@click.argument("cards", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--country", help="Of the parties whose cards are given, like DE.")
@click.option("--remove", "removed", multiple=True, metavar="NAME", help="Take a party off.")
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    help="Also write the folder as one file, for a mail or a stick.",
)
def invite(
    directory: Path,
    cards: tuple[Path, ...],
    country: str | None,
    removed: tuple[str, ...],
    target: Path | None,
) -> None:
    """Take parties in from their cards, and write the invitation.

    Each time the prose is taken in by its hash, as it is then. Once somebody has signed, nothing
    can be changed but by `amend`; the invitation can still be written.
    """
    from securefl.party.consortium import open_folder
    from securefl.party.consortium_drafts import is_signed
    from securefl.party.invitation import pack

    folder = open_folder(directory)
    if cards or removed or target is None or not is_signed(folder):
        draft = _take_in(folder, cards, country, removed)
        _say_draft(draft, folder)
        if draft.fault is not None and target is not None:
            say("No invitation was written: nobody could take it.")
            return
    if target is not None:
        count = pack(folder, target)
        say(f"{target} is the invitation: {count} files in one. Give it to every party.")
        say(f"Each of them: securefl consortium join {target.name} FOLDER")


def _take_in(
    folder: ConsortiumFolder,
    cards: tuple[Path, ...],
    country: str | None,
    removed: tuple[str, ...],
) -> Draft:
    from securefl.files import read_given
    from securefl.identity import MAX_CARD_BYTES, as_it_was_sent
    from securefl.party.consortium_drafts import take_in
    from securefl.party.trust import read_given_card

    if cards and country is None:
        raise UsageError(
            "It is not said in which country these parties are.", next_step="Add --country DE."
        )
    read = []
    for path in cards:
        data = read_given(path, MAX_CARD_BYTES)
        read.append((read_given_card(data, str(path)), as_it_was_sent(data)))
    return take_in(folder, read, country=country or "", remove=removed)


def _say_draft(draft: Draft, folder: ConsortiumFolder) -> None:
    say(f"Parties: {', '.join(draft.parties) or 'nobody yet'}.")
    if draft.fault is not None:
        say("It cannot be signed as it stands:")
        say_quoted(draft.fault.what)
        say(f"Next: mend {folder.path / 'agreement.toml'}, or take in more cards.")
        return
    if draft.sealed is not None:
        say(f"It can be signed: {draft.sealed.name}.")
    for remark in draft.remarks:
        say(f"But {remark}")


@consortium.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@party_options
def join(
    source: Path,
    directory: Path | None,
    site: str | None,
    researcher: str | None,
    aggregator: str | None,
) -> None:
    """Unpack an invitation, and see whom to telephone.

    SOURCE is unpacked into a new folder DIRECTORY. It may also be a consortium's folder, which is
    then read as it lies there.
    """
    from securefl.party.consortium import check_trust, open_folder, own_entry
    from securefl.party.invitation import unpack

    mine = required_folder(site, researcher, aggregator)
    if source.is_dir():
        folder = open_folder(source)
    elif directory is None:
        raise UsageError(
            "The invitation needs a folder to be unpacked into.",
            next_step=f"securefl consortium join {source} FOLDER",
        )
    else:
        folder = unpack(source, directory)
        say(f"Unpacked into {directory}.")
    agreement = folder.sealed().agreement
    own_entry(agreement, mine.name)
    say_trust(folder, mine, agreement.parties, check_trust(mine, agreement.parties))
    option = option_of(mine)
    say(f"Then read {folder.path / 'agreement.md'} and what this shows:")
    say(f"  securefl consortium check {folder.path}{option}")
    say("When your institution agrees:")
    say(f"  securefl consortium sign {folder.path}{option}")


@consortium.command()
@_folder
@_yes
@party_options
def sign(
    directory: Path,
    yes: bool,
    site: str | None,
    researcher: str | None,
    aggregator: str | None,
) -> None:
    """Sign the agreement and its prose, for your party."""
    from securefl.party.clock import utc_now
    from securefl.party.consortium import open_folder, plan_signature, write_signature

    folder = open_folder(directory)
    mine = required_folder(site, researcher, aggregator)
    planned = plan_signature(folder, mine)
    say(f"{mine.name} signs {planned.name}, with the text {folder.path / 'agreement.md'}.")
    confirm("Did you read both, and do you sign?", yes=yes, read="both files")
    write_signature(folder, mine, planned.digest, utc_now())
    say(f"Signed. Give {folder.signature_file(mine.name)} to every party.")
    say(f"Theirs go into {folder.path / 'signatures'}. This shows who has signed:")
    option = option_of(mine)
    say(f"  securefl consortium check {directory}{option}")
    if mine.settings.role == "hospital":
        say("When all have, this machine is told to hold to it:")
        say(f"  securefl consortium enforce {directory}{option}")


@consortium.command()
@_folder
@click.option(
    "--study",
    "study_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A sealed study to hold against the articles.",
)
@html_option
@json_option
@party_options
def check(
    *,
    directory: Path,
    study_file: Path | None,
    html_file: str | None,
    json_file: str | None,
    site: str | None,
    researcher: str | None,
    aggregator: str | None,
) -> None:
    """Show the articles and who signed; hold a study against them.

    Signatures are verified with the keys on your own list. With a study that goes beyond an article
    the exit code is 5.
    """
    from securefl.cli.consortium_facts import agreement_facts
    from securefl.party.consortium import open_folder
    from securefl.report.agreement import agreement_page

    mine = own_folder(site, researcher, aggregator)
    found = agreement_facts(open_folder(directory), mine, study_file)
    if json_file:
        write_json(found.to_json(), json_file)
    if json_file != "-":
        show_page(agreement_page(found), html_file)
    if found.breaches:
        raise StudyError(
            f"{found.study} goes beyond the agreement. {found.breaches[0]}",
            next_step="Make another study, or amend the agreement.",
        )


@consortium.command()
@_folder
@_yes
@click.option("--site", metavar="DIR", help="The hospital's folder; else $SECUREFL_SITE.")
def enforce(directory: Path, yes: bool, site: str | None) -> None:
    """Hold every study at this hospital to the agreement.

    All signatures are verified first. Where the agreement is in force already, notices of leaving
    in the folder are noted.
    """
    from securefl.cli.site_folder import open_site
    from securefl.node.owner.agreements import enforce as put_in_force
    from securefl.node.owner.agreements import plan_enforcement
    from securefl.party.consortium import open_folder

    here = open_site(site)
    plan = plan_enforcement(here, open_folder(directory))
    for name, fault in plan.faults.items():
        say(f"{name}: {fault.what}")
    for population in plan.without_data:
        say(
            f"No data set here is of the patients '{population}' yet. Only studies on patients of"
            " exactly that name are held to the agreement."
        )
    about = plan.sealed.agreement.consortium
    populations = ", ".join(about.populations)
    if plan.in_force:
        put_in_force(here, plan)
        for name in plan.leaving:
            say(f"{name} gave notice. It is noted, and its days count from now.")
        say(f"{plan.sealed.name} is in force here for the patients of {populations}.")
        return
    if not plan.missing:
        say(
            f"From now on every study on the patients of {populations} is held to {plan.sealed.name}."
        )
        confirm("Shall this machine hold to it?", yes=yes, read="the line above")
    put_in_force(here, plan)
    say("It is in force here. A study that goes beyond an article cannot be approved.")


consortium.add_command(ready)
consortium.add_command(vouch)


@consortium.command()
@_folder
def amend(directory: Path) -> None:
    """Put the signed version aside, and begin the next one."""
    from securefl.party.consortium import open_folder
    from securefl.party.consortium_drafts import next_version

    folder = open_folder(directory)
    aside = next_version(folder)
    say(f"The signed version lies in {aside.path}. It holds until the next one is in force.")
    say(f"Next: edit {folder.path / 'agreement.toml'}, then")
    say(f"  securefl consortium invite {directory}")


@consortium.command()
@_folder
@_yes
@party_options
def leave(
    directory: Path,
    yes: bool,
    site: str | None,
    researcher: str | None,
    aggregator: str | None,
) -> None:
    """Give notice that your party leaves.

    Until it is over, your machine holds to the agreement.
    """
    from securefl.party.consortium import open_folder

    folder = open_folder(directory)
    mine = required_folder(site, researcher, aggregator)
    days = folder.sealed().agreement.leaving.notice_days
    say(f"{mine.name} leaves {folder.sealed().name} after {days} days. A notice is not taken back.")
    say("Studies that are approved go on; `securefl site withdraw` leaves one at once.")
    confirm("Do you give notice?", yes=yes, read="the lines above")
    _give_notice(folder, mine)
    say(
        f"Give {folder.notice_file(mine.name)} to every party: its days count from when it comes in."
    )


def _give_notice(folder: ConsortiumFolder, mine: PartyFolder) -> None:
    from securefl.node.owner.agreements import leave as leave_as_hospital
    from securefl.node.owner.folder import Site
    from securefl.party.clock import utc_now
    from securefl.party.consortium import own_entry, write_notice

    if isinstance(mine, Site):
        over = leave_as_hospital(mine, folder)
        say(f"Noted in the ledger. This machine is bound until {over:%Y-%m-%d %H:%M} UTC.")
        return
    sealed = folder.sealed()
    own_entry(sealed.agreement, mine.name)
    write_notice(folder, mine, sealed.digest, utc_now())
