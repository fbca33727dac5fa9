"""``securefl demo``: five hospitals, a researcher and an aggregator, from request to audit."""

from __future__ import annotations

import time
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from securefl.demo.comparison import add_alone
from securefl.demo.hospital import table_of
from securefl.demo.stage import Stage, read_json
from securefl.study.training import training_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from securefl.demo.protocols import Demonstration
    from securefl.report.page import Page

_MANY = {4: "Four", 5: "Five"}
#: Lines of a request's page that are shown here; the whole is one command away.
_FOLDED = 25


def play(
    folder: Path,
    demo: Demonstration,
    *,
    seed: int,
    fresh: bool,
    say: Callable[[str], None],
    show: Callable[[Page], None],
    busy: Callable[[str], AbstractContextManager[object]] = nullcontext,
    wide: int = 80,
    coloured: bool = False,
) -> dict[str, Any]:
    """Run the demonstration; return its figures (the keys of ``--json``).

    Args:
        folder: where every party's folder is made.
        demo: what is played.
        seed: fixes the held-out split; noise is fresh all the same.
        fresh: replace an older demonstration.
        say: shows a line.
        show: shows a page.
        busy: shows for the length of a ``with`` that something is going on.
        wide: columns of the screen.
        coloured: whether pages may have colours.

    Raises:
        UsageError: the folder exists.
        RoundError: a step failed.
    """
    began = time.monotonic()
    # Before anything is made: a table may have to be downloaded first.
    demo.tables()
    stage = Stage(folder, say, busy, wide, coloured)
    stage.clear(fresh=fresh)
    try:
        _set_up(stage, demo, seed)
        study = _ask(stage, demo)
        _decide(stage, demo, study)
        result = _train(stage, demo, study)
    finally:
        stage.end()
    figures = _figures(stage, demo, result, seed)
    if demo.alone:
        with stage.step("7. What a demonstration alone can show"):
            table = add_alone(stage, demo, seed, result, figures)
        show(table)
    figures["seconds_by_step"] = stage.seconds
    figures["wall_seconds"] = round(time.monotonic() - began, 1)
    _finish(stage, demo, figures, study, made_model="model" in result)
    return figures


def _site(stage: Stage, site: str) -> str:
    """Path of a hospital's folder."""
    return str(stage.folder / site)


def _set_up(stage: Stage, demo: Demonstration, seed: int) -> None:
    """Steps 1 and 2: parties, cards, tables, budgets, and the roles that run from then on."""
    many = _MANY[len(demo.sites)]
    with stage.step(f"1. {many} hospitals, a researcher and an aggregator make folders and keys"):
        _make_parties(stage, demo)
        for site in demo.sites:
            place = _site(stage, site)
            stage.module("securefl.demo.hospital", place, site, str(seed), demo.name)
    with stage.step("2. They exchange cards; each hospital registers its table and sets a budget"):
        _exchange_cards(stage, demo)
        _register_tables(stage, demo)
    root = stage.folder
    for site in demo.sites:
        stage.begin(
            "site",
            "start",
            "--site",
            _site(stage, site),
            log=root / site / "agent.out",
        )
    aggregator = ("--aggregator", str(root / "aggregator"))
    stage.begin(
        "aggregator",
        "start",
        *aggregator,
        log=root / "aggregator" / "aggregator.out",
    )


def _make_parties(stage: Stage, demo: Demonstration) -> None:
    """Make every party's folder with its keys."""
    names = {site: ("site", site, legal_name) for site, legal_name in demo.hospitals.items()}
    names["researcher"] = ("study", "researcher", "Demonstration researcher")
    names["aggregator"] = ("aggregator", "sums", "Demonstration aggregator")
    common = ("--email", "nobody@securefl.invalid", "--store", str(stage.folder / "store"))
    commands = []
    for folder, (group, name, legal_name) in names.items():
        place = str(stage.folder / folder)
        commands.append([group, "init", place, "--name", name, "--legal-name", legal_name, *common])
    stage.together(commands)


def _exchange_cards(stage: Stage, demo: Demonstration) -> None:
    """Let every party trust the cards of those that it deals with."""
    root = stage.folder
    parties = (*demo.sites, "researcher", "aggregator")
    cards = {party: str(root / party / "keys" / "card.json") for party in parties}

    def cards_but(*left_out: str) -> list[str]:
        return [card for party, card in cards.items() if party not in left_out]

    stage.say(
        "  securefl site trust CARD ...   (a person compares the fingerprints by telephone first)"
    )
    commands = []
    for site in demo.sites:
        place = ("--site", _site(stage, site))
        commands.append(["site", "trust", "--yes", *place, *cards_but(site, "aggregator")])
    place = ("--researcher", str(root / "researcher"))
    commands.append(["study", "trust", "--yes", *place, *cards_but("researcher")])
    place = ("--aggregator", str(root / "aggregator"))
    commands.append(["aggregator", "trust", "--yes", *place, cards["researcher"]])
    stage.together(commands)


def _register_tables(stage: Stage, demo: Demonstration) -> None:
    """Register each hospital's table, and grant its population a budget."""
    protocol = str(demo.file)
    data = demo.study.data
    tables = []
    grants = []
    for site in demo.sites:
        place = ("--site", _site(stage, site))
        table = str(table_of(stage.folder / site, demo.table))
        population = ("--population", data.population)
        tables.append(
            ["site", "data", "add", data.dataset, table, *population, "--columns", protocol, *place]
        )
        budget = ("--epsilon", demo.epsilon, "--delta", demo.delta, "--typical", protocol)
        grants.append(["site", "budget", "set", data.population, *budget, *place])
    stage.together(tables)
    granted = stage.together(grants)
    stage.say("  " + granted[0].strip().replace("\n", "\n  "))


def _ask(stage: Stage, demo: Demonstration) -> str:
    """Step 3: the study, sealed and requested; returns its name."""
    researcher = ("--researcher", str(stage.folder / "researcher"))
    with stage.step("3. The researcher sees mock data, makes a study, requests it through PySyft"):
        stage.run("study", "ask", *demo.sites, *researcher)

        def visible() -> bool:
            found = read_json(
                stage.run(
                    "study",
                    "datasets",
                    "--json",
                    "-",
                    *researcher,
                )
            )
            return len(found["datasets"]) == len(demo.sites)

        stage.until("The hospitals' mock data", visible)
        many = _MANY[len(demo.sites)].lower()
        stage.say(f"  mock data of all {many} hospitals is there: invented rows, declared columns")
        parties = ["--aggregator", "sums"]
        for site in demo.sites:
            parties += ["--hospital", site]
        made = stage.run("study", "new", str(demo.file), *parties, *researcher)
        stage.say(f"  {made.strip().splitlines()[0]}")
        study = next((stage.folder / "researcher" / "studies").iterdir()).name
        stage.run("study", "request", study, *researcher)
    return study


def _decide(stage: Stage, demo: Demonstration, study: str) -> None:
    """Step 4: every owner's approval."""
    with stage.step("4. Each data owner reads the request and approves it with a signature"):

        def arrived(site: str) -> bool:
            inbox = stage.run(
                "site",
                "inbox",
                "--json",
                "-",
                "--site",
                _site(stage, site),
            )
            found = read_json(inbox)
            return any(r["id"] == study for r in found["requests"])

        for site in demo.sites:
            stage.until(f"The request at {site}", partial(arrived, site))
        stage.say(f"  What the owner of {demo.shown} sees (securefl site review {study}):")
        stage.page(
            "site",
            "review",
            study,
            "--site",
            _site(stage, demo.shown),
            lines=_FOLDED,
        )
        answers = stage.together(
            [["site", "approve", study, "--yes", "--site", _site(stage, s)] for s in demo.sites]
        )
        for site, answer in zip(demo.sites, answers, strict=True):
            stage.say(f"  {site}: {answer.splitlines()[0]}")


def _train(stage: Stage, demo: Demonstration, study: str) -> dict[str, Any]:
    """Steps 5 and 6: the rounds, and what each house can see of them; returns the report."""
    root = stage.folder
    researcher = ("--researcher", str(root / "researcher"))
    with stage.step("5. Rounds: private answers; the coordinator receives one sum a round"):
        stage.show("study", "run", study, "--wait", "120", *researcher)
    result = dict(read_json(stage.run("study", "report", study, "--json", "-", *researcher)))
    with stage.step("6. What left each house, by its own ledger"):
        stage.page("audit", "--site", _site(stage, demo.shown))
        if demo.dirty:
            stage.say(
                f"\n  What only the owner of {demo.dirty} sees (securefl site status): which rows"
                " were set aside"
            )
            stage.page("site", "status", "--site", _site(stage, demo.dirty))
        if "model" in result:
            _await_models(stage, demo, study)
    return result


def _await_models(stage: Stage, demo: Demonstration, study: str) -> None:
    """Wait until every hospital has the model that it was promised."""
    homes = [stage.folder / site / "models" / study for site in demo.sites]
    stage.until(
        "The model at every hospital",
        lambda: all(home.is_dir() for home in homes),
        seconds=120.0,
    )
    stage.say(
        "\n  The model came home to every hospital, and each has checked it (securefl site"
        f" model show {study})."
    )


def _figures(
    stage: Stage,
    demo: Demonstration,
    result: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """The figures that every demonstration has."""
    shares = budget_shares(stage, demo)
    found = []
    for number, (section, record) in enumerate(
        zip(demo.study.stages, result["stages"], strict=True), 1
    ):
        figures = {key: value for key, value in record.items() if key != "kind"}
        found.append({"kind": section.kind, "name": f"{number}-{section.kind}", "figures": figures})
    upload = result["upload_bytes"]
    parameters = result["parameters"]
    rounds = result["rounds"]
    if "model" in result:
        # The check of the model is a round, too, and trains nothing.
        rounds = training_of(demo.study).rounds
    figures = {
        "protocol": demo.name,
        "seed": seed,
        "sites": [{"site": site, "budget_share_used": shares[site]} for site in demo.sites],
        "stages": found,
        "rounds": rounds,
        "upload_bytes": upload,
    }
    if parameters:
        figures["upload_bytes_per_parameter"] = upload / parameters
    return figures


def budget_shares(stage: Stage, demo: Demonstration) -> dict[str, float]:
    """Share of its budget that each hospital's ledger says is used."""
    audits = stage.together(
        [["audit", "--json", "-", "--site", _site(stage, s)] for s in demo.sites]
    )
    return {
        s: float(read_json(a)["populations"][0]["share_used"])
        for s, a in zip(demo.sites, audits, strict=True)
    }


def _finish(
    stage: Stage,
    demo: Demonstration,
    figures: dict[str, Any],
    study: str,
    *,
    made_model: bool,
) -> None:
    """Say what can be tried next in the folder that was made."""
    from securefl.learning.mock import mock_table

    stage.say(f"\nAll of it took {figures['wall_seconds']:.0f} s. Next:")
    stage.say(f"  securefl audit --site {stage.folder / demo.shown}")
    stage.say(f"  securefl study report {study} --researcher {stage.folder / 'researcher'}")
    if not made_model:
        return
    stage.say(f"  securefl site model show {study} --site {stage.folder / demo.shown}")
    # Invented rows with the model's columns, to try the last command on.
    rows = stage.folder / "rows.csv"
    rows.write_bytes(mock_table(demo.study.data, 10, seed=0))
    stage.say(f"  securefl predict {stage.folder / 'researcher' / 'model'} {rows}")
