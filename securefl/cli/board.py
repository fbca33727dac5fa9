"""``securefl board``: a store carried by files, through a review."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.consortium_party import option_of, party_options, required_folder
from securefl.cli.screen import html_option, say, show_page, write_json, write_page
from securefl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.party.airlock.bundle import CheckedBundle
    from securefl.party.airlock.kinds import Place
    from securefl.party.folder import PartyFolder

_json = click.option("--json", "json_file", metavar="FILE", help="For a program; - for the screen.")


@click.group()
def board() -> None:
    """Carry a store by files, where the machines share none: a stick, or a queue of reviews.

    Each place has a store of its own. `export` writes what is new for a partner into a folder with a
    signed list; a checker looks at it with `check`; the partner takes it in with `import`.
    """


@board.command("export")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--to", required=True, metavar="NAME", help="The partner for whom it is.")
@click.option("--all", "whole", is_flag=True, help="Everything, where a bundle was lost.")
@click.option("--offer", metavar="STUDY", help="A researcher's study that is to be requested.")
@html_option
@_json
@party_options
def export_command(
    *,
    directory: Path,
    to: str,
    whole: bool,
    offer: str | None,
    html_file: str | None,
    json_file: str | None,
    site: str | None,
    researcher: str | None,
    aggregator: str | None,
) -> None:
    """Write what is new for a partner into the new folder DIRECTORY.

    It holds the study's own messages alone: ciphertexts, signed words, sealed keys. Anything else on
    the store, and a contribution that this hospital's ledger does not know, is refused. Every object
    is checked before the folder is there.
    """
    from securefl.party.airlock.exporting import Export, export_bundle

    mine = required_folder(site, researcher, aggregator)
    if offer is not None:
        _offer(mine, offer)
    wanted = Export(to, datetime.now(UTC), _charged(mine), whole=whole)
    made = export_bundle(mine, directory, wanted)
    _show(made, html_file, json_file)
    if json_file != "-":
        say(f"{directory} is ready for {to}. There: securefl board import {directory.name}")


@board.command("check")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--card",
    "cards",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The sender's card, and those of the others if the researcher sends.",
)
@html_option
@_json
def check_command(
    *,
    directory: Path,
    cards: tuple[Path, ...],
    html_file: str | None,
    json_file: str | None,
) -> None:
    """Check a bundle and show what leaves, with no folder of a party, no key and no network.

    Exit code 0 only where everything holds. Compare the fingerprint on the page with the one that
    you were given another way.
    """
    from securefl.files import read_given
    from securefl.identity import MAX_CARD_BYTES, read_card
    from securefl.party.airlock.bundle import check_bundle, read_manifest

    known = [read_card(read_given(file, MAX_CARD_BYTES)) for file in cards]
    manifest = read_manifest(directory, known)
    found = check_bundle(directory, manifest, {card.name: card.verify for card in known})
    _show(found, html_file, json_file)


@board.command("import")
@click.argument("directory", type=click.Path(path_type=Path))
@html_option
@_json
@party_options
def import_command(
    *,
    directory: Path,
    html_file: str | None,
    json_file: str | None,
    site: str | None,
    researcher: str | None,
    aggregator: str | None,
) -> None:
    """Take in a bundle that a partner exported for you.

    It is copied to where nobody else writes, checked as a whole, and only then put on your store. A
    bundle that came before, is out of turn, or is older than two weeks is refused. A study that is
    new here waits in the inbox.
    """
    from securefl.party.airlock.importing import import_bundle

    mine = required_folder(site, researcher, aggregator)
    now = datetime.now(UTC)
    done = import_bundle(mine, directory, now)
    requests = _take_in(mine, done.bundle, now)
    _show(done.bundle, html_file, json_file)
    if json_file == "-":
        return
    said = done.bundle.manifest.said
    say(f"{len(done.posted)} new objects of {said.party} are on your store.")
    for name in requests:
        say(f"A request waits for you: securefl site review {name}")


def _show(found: CheckedBundle, html_file: str | None, json_file: str | None) -> None:
    from securefl.party.airlock.facts import bundle_facts
    from securefl.report.airlock import egress_page

    about = bundle_facts(found)
    if json_file:
        write_json({"checked": True, **asdict(about)}, json_file)
    if json_file != "-":
        show_page(egress_page(about), html_file)
    elif html_file:
        write_page(egress_page(about), html_file)


def _offer(mine: PartyFolder, name: str) -> None:
    """Put a study onto the researcher's own store, so that it is carried."""
    if mine.settings.role != "researcher":
        raise UsageError(
            f"{mine.name} is no researcher: only a researcher offers a study.",
            next_step=f"Leave out --offer: `securefl board export DIR --to NAME {option_of(mine)}`",
        )
    from securefl.cli.study_folder import open_study
    from securefl.researcher.asking import offer_study

    offer_study(mine, open_study(str(mine.path), name).plan)


def _charged(mine: PartyFolder) -> Callable[[Place, str], None]:
    if mine.settings.role != "hospital":
        return lambda _at, _sha256: None
    from securefl.node.owner.airlock import charged_only
    from securefl.node.owner.folder import open_site

    return charged_only(open_site(mine.path))


def _take_in(mine: PartyFolder, found: CheckedBundle, now: datetime) -> tuple[str, ...]:
    if mine.settings.role != "hospital":
        return ()
    from securefl.node.owner.airlock import take_in_requests
    from securefl.node.owner.folder import open_site

    return take_in_requests(open_site(mine.path), found, now)
