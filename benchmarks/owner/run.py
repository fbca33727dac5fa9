"""Time of each page of the owner's console, with many studies in the ledger and many requests.

Beside each page stands the settings page of the same console, which reads no study, measured in turn
in the same run, so that a busy machine shows in both.

    python benchmarks/owner/run.py [--studies 1000] [--requests 10000] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
from console_client import ConsoleClient
from consortium import NAMES, Consortium
from machine import machine

from securefl.console.server import read_all_ahead
from securefl.learning.stages.programme import charges_of
from securefl.node.requests import keep_request
from securefl.privacy import ledger_events as ev
from securefl.privacy.charges import ChargeTerms
from securefl.privacy.planning import quote
from securefl.study.sealed import SealedStudy

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.privacy.ledger_state import LedgerState

ME = NAMES[0]
PAGES = ("inbox", "running", "data", "audit", "partners", "settings")
_TERMS = ChargeTerms(clip_norm="1", normaliser="30", noise_source="benchmark", code="none")


def main() -> None:
    """Build a hospital, ask for its pages, print the table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--studies", type=int, default=1000)
    asked.add_argument("--requests", type=int, default=10_000)
    asked.add_argument("--times", type=int, default=7)
    asked.add_argument("--json", type=Path)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), given.studies, given.requests, given.times)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    show(found)


def measure(folder: Path, studies: int, requests: int, times: int) -> dict[str, Any]:
    """Measure each page, in turn with the bare one."""
    load = os.getloadavg()[0]
    consortium = Consortium(folder, epsilon="1000")
    events = fill(consortium, studies, requests)
    # what changed within one grain of the clock is read again: that is the last row's case
    time.sleep(3)
    client = ConsoleClient(consortium.root / ME)
    began = time.process_time()
    client.open()
    opened = time.process_time() - began
    began = time.process_time()
    asyncio.run(read_all_ahead(client.console))
    ahead = time.process_time() - began
    [waiting] = [
        path.name
        for path in (consortium.root / ME / "studies").iterdir()
        if "template" in (path / "request.json").read_text()
    ]
    listed = {page: page for page in PAGES}
    listed[f"inbox, sheet {requests // 50}"] = f"inbox?page={requests // 50}"
    listed["one request"] = f"requests/{waiting}"
    pages = {name: _page(client, page, times) for name, page in listed.items()}
    kept = consortium.root / ME / "studies"
    pages["inbox, a request just came"] = _page(client, "inbox", times, lambda: os.utime(kept))
    client.close()
    facts = machine("starlette", "cryptography")
    facts["load"] = [round(load, 1), round(os.getloadavg()[0], 1)]
    sizes = {"studies": studies, "requests": requests, "events": events}
    spent = {"opening_processor_s": round(opened, 1), "ahead_processor_s": round(ahead, 1)}
    return {"machine": facts, **sizes, **spent, "pages": pages}


def _page(
    client: ConsoleClient,
    page: str,
    times: int,
    before: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    before()
    first = _once(client, page)
    took = []
    for _ in range(times):
        bare = _once(client, "settings")
        before()
        took.append((bare, _once(client, page)))
    wall = statistics.median(page.wall for _, page in took)
    processor = statistics.median(page.processor for _, page in took)
    bare = statistics.median(bare.processor for bare, _ in took)
    return {
        "first_processor_ms": round(1000 * first.processor),
        "ms": round(1000 * wall),
        "processor_ms": round(1000 * processor),
        "to_settings": round(processor / bare, 2),
    }


class Taken(NamedTuple):
    """Seconds that a page took, by the clock and of the processor."""

    wall: float
    processor: float


def _once(client: ConsoleClient, page: str) -> Taken:
    began, busy = time.perf_counter(), time.process_time()
    status = client.get(page).status
    took = Taken(time.perf_counter() - began, time.process_time() - busy)
    if status != 200:
        raise SystemExit(f"{page} answered {status}")
    return took


def fill(consortium: Consortium, studies: int, requests: int) -> int:
    """Put studies that are over into the ledger, and requests that wait into the inbox."""
    template = consortium.new_study("template")
    consortium.hand_over(template, ME)
    text = template.sealed.text.decode()
    site = consortium.site(ME)
    ledger = site.ledger
    events: list[ev.Event] = []
    for number in range(studies):
        sealed = SealedStudy.read(text.replace("template", f"study-{number}").encode())
        at = moment(number)
        keep_request(site, sealed, job=f"job-{number}", sender="r@example", received=at)
        events += study_events(ledger.state, sealed, at)
    ledger._append(lambda _: events)  # noqa: SLF001 - the ledger's own methods commit one study each
    size = ledger.size
    ledger.close()
    for number in range(requests):
        request_alone(site.path, studies + number, template.sealed.text)
    return size


def moment(number: int) -> str:
    """Time of a request or study: one comes a minute."""
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def study_events(state: LedgerState, sealed: SealedStudy, at: str) -> list[ev.Event]:
    """Events of a study that was approved, sent three rounds and an evaluation, and is over."""
    study, digest = sealed.study, sealed.digest
    price = quote(0, 0, state.budget("clinic").order, charges_of(study), 1)
    parts = tuple(
        ev.Part(purpose=c.purpose, mechanism=c.mechanism, cost=cost) for c, cost in price.parts
    )
    about = {"at": at, "study": digest}
    named = {"id": study.study.id, "researcher": "researcher", "statement": digest}
    reserved = {
        "population": "clinic",
        "dataset": "records",
        "snapshot": state.dataset("records").snapshot,
        "order": price.order,
        "attempts": 1,
        "parts": parts,
        "epsilon": Decimal("0.99"),
        "delta": study.privacy.delta,
        "accountants": (),
        "terms": _TERMS,
    }
    sent = [
        (number, charge.purpose, charge.mechanism.with_count(1))
        for charge in price.charges
        for number in range(1, charge.mechanism.count + 1)
    ]
    return [
        ev.checked_event(ev.Approve, {**about, **named, "cost": price.asked}),
        ev.checked_event(ev.Reserve, {**about, **reserved}),
        ev.checked_event(ev.Start, about),
        *(
            ev.checked_event(
                ev.Sent,
                {
                    **about,
                    "round": number,
                    "purpose": purpose,
                    "mechanism": mechanism,
                    "sha256": digest,
                },
            )
            for number, purpose, mechanism in sent
        ),
        ev.checked_event(ev.Settle, {**about, "status": "completed"}),
    ]


def request_alone(folder: Path, number: int, text: bytes) -> None:
    """Keep a request as the inbox lists it; its study is not read for the list."""
    digest = f"{number:064x}"
    made = folder / "studies" / digest
    made.mkdir(parents=True)
    kept = {
        "digest": digest,
        "study_id": f"asked-{number}",
        "title": f"Request {number}",
        "job": f"job-{number}",
        "sender": "r@example",
        "received": moment(number),
    }
    (made / "study.toml").write_bytes(text)
    (made / "request.json").write_text(json.dumps(kept))


def show(found: dict[str, Any]) -> None:
    """Print the table as the page of results has it."""
    print(json.dumps(found["machine"]))
    print(
        f"{found['studies']:,} studies, {found['events']:,} events, {found['requests']:,} requests"
    )
    print(f"opening the console: {found['opening_processor_s']} s of the processor")
    print(f"then reading ahead: {found['ahead_processor_s']} s of the processor")
    print("| page | first, processor ms | then, processor ms | then, ms | to the settings page |")
    print("|---|---|---|---|---|")
    for name, page in found["pages"].items():
        print(f"| {name} | {' | '.join(str(figure) for figure in _figures(page))} |")


def _figures(page: dict[str, float]) -> tuple[float, ...]:
    return page["first_processor_ms"], page["processor_ms"], page["ms"], page["to_settings"]


if __name__ == "__main__":
    main()
