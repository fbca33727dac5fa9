"""``securefl aggregator``: the neutral party.

It sees ciphertexts, sizes and times, and nothing else.
"""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.metrics_output import hand_out_metrics, metrics_options
from securefl.cli.screen import card_options, folder_option, json_option, say, write_json
from securefl.cli.service_unit import service_options, write_service
from securefl.cli.store_route import route_of, route_options
from securefl.errors import SecureFLError, StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from securefl.federation.aggregator_service import AggregatorService
    from securefl.party.folder import PartyFolder
    from securefl.party.pidfile import Presence
    from securefl.party.store_watch import StoreWatch

_aggregator_option = folder_option("aggregator", "SECUREFL_AGGREGATOR")
_ROLE = "aggregator"


def _open(folder: str | None) -> PartyFolder:
    from securefl.party.folder import PartyFolder, find_folder

    return PartyFolder.open(find_folder(folder, "SECUREFL_AGGREGATOR"), "aggregator")


@click.group()
def aggregator() -> None:
    """The neutral party that adds ciphertexts without a key: init, `trust` a coordinator's card,
    start.
    """


@aggregator.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Short name, as in studies.")
@click.option("--legal-name", required=True, help="Who operates it.")
@click.option("--email", required=True, help="A person's address for the card; no mail is sent.")
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
    """Make an aggregator's folder: signing keys and a card.

    It never holds a key that opens a sum.
    """
    from securefl.party.folder import PartyFolder

    directory = directory.absolute()
    made = PartyFolder.create(
        directory,
        name=name,
        role="aggregator",
        legal_name=legal_name,
        email=email,
        store=store,
        route=route_of(store_proxy, store_ca),
    )
    say(
        f"{directory} is the folder of {name} now. Give {directory}/keys/card.json to the"
        " researcher and read out its fingerprint:"
    )
    say(f"  {made.identity.card.spoken}")
    say(
        f"Next: securefl aggregator trust CARD --aggregator {directory}, with the card of each"
        " researcher whose studies it serves."
    )


@aggregator.command()
@card_options
@_aggregator_option
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
    """Add the cards of the coordinators whose studies are served; without a card, show the list."""
    from securefl.cli.cards import trust_cards

    trust_cards(
        _open(folder).book,
        cards,
        fingerprint=fingerprint,
        vouch=vouch,
        yes=yes,
        remove=remove,
        json_file=json_file,
    )


@aggregator.command()
@click.option(
    "--background",
    is_flag=True,
    help="Come back at once; the aggregator goes on until `securefl aggregator stop`.",
)
@_aggregator_option
def start(background: bool, folder: str | None) -> None:
    """Serve studies until Ctrl-C or `securefl aggregator stop`."""
    from securefl.federation.aggregator_service import AggregatorService
    from securefl.party.aggregator_events import AggregatorEvents
    from securefl.party.clock import utc_now
    from securefl.party.journal import Journal
    from securefl.party.pidfile import Presence
    from securefl.party.store_watch import StoreWatch

    here = _open(folder)
    log = here.path / "aggregator.log"
    if background:
        from securefl.cli.background import start_role

        start_role(
            ["aggregator", "start", "--aggregator", str(here.path)],
            here.path,
            _ROLE,
            here.path / "aggregator.out",
        )
        say(f"The aggregator {here.name} runs. Its log: {log}")
        return
    presence = Presence(here.path, _ROLE)
    if not presence.take():
        raise UsageError(
            "An aggregator runs in this folder already.",
            next_step="`securefl aggregator stop` ends it.",
        )
    journal = Journal(log)

    def tell(line: str) -> None:
        click.echo(line)
        journal.say(line)

    events = AggregatorEvents(here.path, partial(datetime.now, UTC))
    service = AggregatorService(here.board, here.identity, here.book, tell, watch=events)
    presence.announce(utc_now())
    say(
        f"The aggregator {here.name} serves {here.settings.store}; stop it with Ctrl-C or `securefl"
        " aggregator stop`."
    )
    why = "it was asked to stop"
    try:
        journal.say("aggregator started")
        _serve(service, tell, presence, StoreWatch(presence, utc_now, time.monotonic))
    except Exception as error:
        why = str(error) if isinstance(error, SecureFLError) else f"{type(error).__name__}: {error}"
        raise
    finally:
        presence.note_end(utc_now(), why)
        presence.leave()
        journal.say("aggregator stopped")
        journal.close()
        events.close()
        say("The aggregator has stopped.")


@aggregator.command()
@service_options
@_aggregator_option
def service(
    directory: Path,
    user: str | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Write a hardened systemd unit for this aggregator into DIRECTORY; root installs it."""
    from securefl.party.service_unit import aggregator_service

    write_service(aggregator_service(_open(folder), user), directory, json_file)


@aggregator.command()
@click.argument("study")
@_aggregator_option
def model(study: str, folder: str | None) -> None:
    """Fetch the finished model of STUDY, where the study names this aggregator as a recipient.

    It is kept only if it is the model that the signed transcript of the evaluation names and its
    figures follow from the released histogram. That it follows from the model before it only a
    hospital can check.
    """
    from securefl.cli.predict import say_notices
    from securefl.party.aggregator_model import fetch_for_aggregator, notices_of

    here = _open(folder)
    where = fetch_for_aggregator(here, study)
    say(
        f"The model is in {where}; the signed transcripts name it, and its figures follow from the"
        " released histogram."
    )
    say_notices(notices_of(here, where))
    say(f"Next: securefl predict {where} TABLE.csv")


@aggregator.command()
@_aggregator_option
def stop(folder: str | None) -> None:
    """Stop the aggregator. A study that it serves cannot go on without it."""
    from securefl.party.pidfile import stop_role

    stopped = stop_role(_open(folder).path, _ROLE)
    say("The aggregator has stopped." if stopped else "No aggregator runs here.")


@aggregator.command()
@json_option
@_aggregator_option
def status(json_file: str | None, folder: str | None) -> None:
    """Say whether the aggregator runs, and whom it serves."""
    from securefl.party.pidfile import last_end, running_process, store_away
    from securefl.report.words import day

    here = _open(folder)
    state = running_process(here.path, _ROLE)
    if json_file:
        write_json(_status_json(here), json_file)
    if json_file == "-":
        return
    running = "not running; `securefl aggregator start` starts it"
    if state:
        running = f"running since {state['since']}"
    say(f"{here.name}: {running}")
    ended = last_end(here.path, _ROLE)
    if ended is not None:
        when = "without a word"
        if ended.at:
            when = f"at {day(ended.at)}"
        say(f"  ended        {when}: {ended.reason}")
    say(f"  store        {here.settings.store}")
    away = store_away(state)
    if away is not None:
        say(
            f"               unreachable since {day(away.since)}; the aggregator goes on trying:"
            f" {away.reason}"
        )
    say(
        "  coordinators"
        f" {', '.join(c.name for c in here.book.cards().values()) or 'none trusted yet; `securefl aggregator trust CARD`'}"
    )


@aggregator.command()
@metrics_options
@_aggregator_option
def metrics(
    *,
    target: Path | None,
    port: int | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Print numbers for your own monitoring, in the OpenMetrics format.

    Whether the aggregator runs, reaches its store and when it last went through its work; for each
    study its round, bytes, whom the round waits for and since when, and how it ended. Nothing is
    sent anywhere.
    """
    from securefl.cli.aggregator_metrics import aggregator_metrics_json, aggregator_metrics_text
    from securefl.party.aggregator_metrics import AggregatorMetrics, read_aggregator_metrics

    def found() -> AggregatorMetrics:
        return read_aggregator_metrics(_open(folder))

    hand_out_metrics(
        lambda: aggregator_metrics_text(found()),
        lambda: aggregator_metrics_json(found()),
        target=target,
        port=port,
        json_file=json_file,
    )


def _status_json(here: PartyFolder) -> dict[str, Any]:
    """The state as ``--json`` writes it."""
    from securefl.party.pidfile import last_end, running_process, store_away

    state = running_process(here.path, _ROLE)
    away = store_away(state)
    ended = last_end(here.path, _ROLE)
    return {
        "aggregator": here.name,
        "running": state is not None,
        "since": None if state is None else state["since"],
        "store_away": None if away is None else {"since": away.since, "reason": away.reason},
        "ended": None if ended is None else {"at": ended.at or None, "reason": ended.reason},
        "coordinators": [card.name for card in here.book.cards().values()],
    }


def _serve(
    service: AggregatorService,
    tell: Callable[[str], None],
    presence: Presence,
    store: StoreWatch,
) -> None:
    stopping = False

    def stop_serving(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop_serving)
    while not stopping:
        try:
            service.turn()
            store.look(service.board)
            presence.tell(turned=True)
            time.sleep(service.remaining)
        except StoreError as error:  # it comes back; said once
            store.missed(error)
            if store.is_new("turn", str(error)):
                tell(str(error))
            time.sleep(1.0)
