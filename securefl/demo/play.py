"""``securefl demo``: five hospitals, a researcher and an aggregator, from request to audit."""

from __future__ import annotations

import time
from contextlib import nullcontext
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from securefl.demo.hospital import TABLE
from securefl.demo.stage import Stage, read_json
from securefl.demo.thyroid import SITES, demo_secret, site_tables
from securefl.learning.stages.evaluate import FIGURES

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from securefl.demo.baselines import Comparison
    from securefl.report.page import Page

POPULATION = "thyroid-referrals"
_NAMES = {
    "other": "General practices and other clinics",
    "SVI": "St Vincent's inpatients",
    "SVHC": "St Vincent's hospital clinic",
    "STMW": "St Margaret's maternity ward",
    "SVHD": "St Vincent's day hospital",
}
_SHOWN = "STMW"
#: Lines of its request's page that are shown here; the whole is one command away.
_FOLDED = 25
#: Its table holds ages such as 65526, which the declared range refuses.
_DIRTY = "other"


def protocol_file() -> Path:
    """Find the thyroid protocol, in the repository or in the installed package."""
    inside = Path("protocols") / "studies" / "thyroid" / "protocol.toml"
    beside = Path(__file__).resolve().parents[2] / inside
    if beside.exists():
        return beside
    return Path(str(resources.files("securefl"))) / inside


def play(
    folder: Path,
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
    stage = Stage(folder, say, busy, wide, coloured)
    stage.clear(fresh=fresh)
    try:
        _set_up(stage, seed)
        study = _ask(stage)
        _decide(stage, study)
        result = _train(stage, study)
    finally:
        stage.end()
    with stage.step("7. What a demonstration alone can show"):
        comparison = _compare(stage, seed, Path(result["model"]))
        shares = _shares(stage)
    figures = _figures(comparison, shares, result, seed)
    figures["seconds_by_step"] = stage.seconds
    figures["wall_seconds"] = round(time.monotonic() - began, 1)
    _finish(stage, comparison, figures, show, study)
    return figures


def _site(stage: Stage, site: str) -> str:
    """Path of a hospital's folder."""
    return str(stage.folder / site)


def _set_up(stage: Stage, seed: int) -> None:
    """Steps 1 and 2: parties, cards, tables, budgets, and the roles that run from then on."""
    with stage.step("1. Five hospitals, a researcher and an aggregator make folders and keys"):
        _make_parties(stage)
        for site in SITES:
            stage.module("securefl.demo.hospital", _site(stage, site), site, str(seed))
    with stage.step("2. They exchange cards; each hospital registers its table and sets a budget"):
        _exchange_cards(stage)
        _register_tables(stage)
    root = stage.folder
    for site in SITES:
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


def _make_parties(stage: Stage) -> None:
    """Make every party's folder with its keys."""
    names = {site: ("site", site, _NAMES[site]) for site in SITES}
    names["researcher"] = ("study", "researcher", "Demonstration researcher")
    names["aggregator"] = ("aggregator", "sums", "Demonstration aggregator")
    common = ("--email", "nobody@securefl.invalid", "--store", str(stage.folder / "store"))
    commands = []
    for folder, (group, name, legal_name) in names.items():
        place = str(stage.folder / folder)
        commands.append([group, "init", place, "--name", name, "--legal-name", legal_name, *common])
    stage.together(commands)


def _exchange_cards(stage: Stage) -> None:
    """Let every party trust the cards of those that it deals with."""
    root = stage.folder
    parties = (*SITES, "researcher", "aggregator")
    cards = {party: str(root / party / "keys" / "card.json") for party in parties}

    def cards_but(*left_out: str) -> list[str]:
        return [card for party, card in cards.items() if party not in left_out]

    stage.say(
        "  securefl site trust CARD ...   (a person compares the fingerprints by telephone first)"
    )
    commands = []
    for site in SITES:
        place = ("--site", _site(stage, site))
        commands.append(["site", "trust", "--yes", *place, *cards_but(site, "aggregator")])
    place = ("--researcher", str(root / "researcher"))
    commands.append(["study", "trust", "--yes", *place, *cards_but("researcher")])
    place = ("--aggregator", str(root / "aggregator"))
    commands.append(["aggregator", "trust", "--yes", *place, cards["researcher"]])
    stage.together(commands)


def _register_tables(stage: Stage) -> None:
    """Register each hospital's table, and grant its population a budget."""
    protocol = str(protocol_file())
    tables = []
    grants = []
    for site in SITES:
        place = ("--site", _site(stage, site))
        table = str(stage.folder / site / TABLE)
        population = ("--population", POPULATION)
        tables.append(
            ["site", "data", "add", "thyroid", table, *population, "--columns", protocol, *place]
        )
        budget = ("--epsilon", "3", "--delta", "1e-5", "--typical", protocol)
        grants.append(["site", "budget", "set", POPULATION, *budget, *place])
    stage.together(tables)
    granted = stage.together(grants)
    stage.say("  " + granted[0].strip().replace("\n", "\n  "))


def _ask(stage: Stage) -> str:
    """Step 3: the study, sealed and requested; returns its name."""
    researcher = ("--researcher", str(stage.folder / "researcher"))
    with stage.step("3. The researcher sees mock data, makes a study, requests it through PySyft"):
        stage.run("study", "ask", *SITES, *researcher)

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
            return len(found["datasets"]) == len(SITES)

        stage.until("The hospitals' mock data", visible)
        stage.say("  mock data of all five hospitals is there: invented rows, declared columns")
        parties = ["--aggregator", "sums"]
        for site in SITES:
            parties += ["--hospital", site]
        made = stage.run("study", "new", str(protocol_file()), *parties, *researcher)
        stage.say(f"  {made.strip().splitlines()[0]}")
        study = next((stage.folder / "researcher" / "studies").iterdir()).name
        stage.run("study", "request", study, *researcher)
    return study


def _decide(stage: Stage, study: str) -> None:
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

        for site in SITES:
            stage.until(f"The request at {site}", partial(arrived, site))
        stage.say(f"  What the owner of {_SHOWN} sees (securefl site review {study}):")
        stage.page(
            "site",
            "review",
            study,
            "--site",
            _site(stage, _SHOWN),
            lines=_FOLDED,
        )
        answers = stage.together(
            [["site", "approve", study, "--yes", "--site", _site(stage, s)] for s in SITES]
        )
        for site, answer in zip(SITES, answers, strict=True):
            stage.say(f"  {site}: {answer.splitlines()[0]}")


def _train(stage: Stage, study: str) -> dict[str, Any]:
    """Steps 5 and 6: the rounds, and what each house can see of them; returns the report."""
    root = stage.folder
    researcher = ("--researcher", str(root / "researcher"))
    with stage.step("5. Rounds: private training; the coordinator receives one sum a round"):
        stage.show("study", "run", study, "--wait", "120", *researcher)
    with stage.step("6. What left each house, by its own ledger"):
        stage.page("audit", "--site", _site(stage, _SHOWN))
        stage.say(
            f"\n  What only the owner of {_DIRTY} sees (securefl site status): which rows were set"
            " aside"
        )
        stage.page("site", "status", "--site", _site(stage, _DIRTY))
        homes = [root / site / "models" / study for site in SITES]
        stage.until(
            "The model at every hospital",
            lambda: all(home.is_dir() for home in homes),
            seconds=120.0,
        )
        stage.say(
            "\n  The model came home to every hospital, and each has checked it (securefl site"
            f" model show {study})."
        )
    return dict(
        read_json(
            stage.run(
                "study",
                "report",
                study,
                "--json",
                "-",
                *researcher,
            )
        )
    )


def _compare(stage: Stage, seed: int, model_folder: Path) -> Comparison:
    """Train every hospital alone, from the public table, and judge all models."""
    from securefl.demo.baselines import compare
    from securefl.learning.artefact import load_model
    from securefl.party.site_secret import split_secret
    from securefl.study.parse import parse_protocol

    protocol = parse_protocol(protocol_file().read_bytes())
    secrets = {s: split_secret(demo_secret(seed, s), POPULATION) for s in SITES}
    stage.say(
        "  trained alone, with and without privacy, from the public table itself; no private folder"
        " is opened"
    )
    return compare(
        protocol,
        site_tables(),
        secrets,
        SITES,
        load_model(model_folder).theta,
    )


def _shares(stage: Stage) -> dict[str, float]:
    """Share of its budget that each hospital's ledger says is used."""
    audits = stage.together([["audit", "--json", "-", "--site", _site(stage, s)] for s in SITES])
    return {
        s: float(read_json(a)["populations"][0]["share_used"])
        for s, a in zip(SITES, audits, strict=True)
    }


def _figures(
    comparison: Comparison,
    shares: dict[str, float],
    result: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    evaluation = result[FIGURES]
    return {
        "sites": [
            {
                "site": row.site,
                "budget_share_used": shares[row.site],
                "auc_alone": row.auc_alone,
                "auc_alone_private": row.auc_alone_private,
                "auc_federated": row.auc_federated,
                "positives": row.positives,
            }
            for row in comparison.sites
        ],
        "auc_overall_exact": comparison.auc_overall_exact,
        "auc_interval": [evaluation["low"], evaluation["high"]],
        "auc_overall_noised": evaluation["auc"],
        "rounds": result["rounds"] - 1,
        "upload_bytes_per_parameter": result["upload_bytes"] / result["parameters"],
        "seed": seed,
    }


def _finish(
    stage: Stage,
    comparison: Comparison,
    figures: dict[str, Any],
    show: Callable[[Page], None],
    study: str,
) -> None:
    from securefl.learning.mock import mock_table
    from securefl.report.run import demo_table
    from securefl.study.parse import parse_protocol

    low, high = figures["auc_interval"]
    show(
        demo_table(
            comparison.sites,
            comparison.auc_overall_exact,
            figures["auc_overall_noised"],
            (low, high),
        )
    )
    stage.say(f"\nAll of it took {figures['wall_seconds']:.0f} s. Next:")
    # Invented rows with the model's columns, to try the last command on.
    rows = stage.folder / "rows.csv"
    data = parse_protocol(protocol_file().read_bytes()).data
    rows.write_bytes(mock_table(data, 10, seed=0))
    stage.say(f"  securefl audit --site {stage.folder / _SHOWN}")
    stage.say(f"  securefl site model show {study} --site {stage.folder / _SHOWN}")
    stage.say(f"  securefl study report {study} --researcher {stage.folder / 'researcher'}")
    stage.say(f"  securefl predict {stage.folder / 'researcher' / 'model'} {rows}")
