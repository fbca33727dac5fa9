"""``securefl site rotate-key`` and ``securefl site checkpoint``: a hospital's own new keys, and
what it holds of others' ledgers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from securefl.cli.screen import confirm, json_option, say, write_json
from securefl.cli.site_folder import open_site, site_option

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.identity import IdentityCard
    from securefl.node.site import Site


@click.command("rotate-key")
@click.option("--yes", is_flag=True, help="You have read what it does.")
@json_option
@site_option
def rotate_key(yes: bool, json_file: str | None, folder: str | None) -> None:
    """Make new keys for this hospital, and erase the old ones.

    For when a copy of the keys may be in other hands, or where your institution asks for it every
    few years. The ledger notes the change, signed by both keys, and `securefl audit` goes on to
    check the whole of it. Afterwards every partner needs the new card: it says that the old key
    named it, and they still compare the fingerprint by telephone. Until they have, no study with
    this hospital can begin. Refused while the agent runs or a study is approved or running here.
    PySyft's own keys and the site's secret (it decides who is held out) stay.
    """
    from securefl.node.rotation import check_no_study
    from securefl.node.rotation import rotate_key as change
    from securefl.node.site import Site
    from securefl.party.clock import utc_now

    here = open_site(folder)
    check_no_study(here)
    old, waiting = here.identity.card, _waiting(here)
    partners = [f"{c.name} ({c.role})" for c in here.book.cards().values()]
    if not yes:
        for line in _what_it_does(old, partners, waiting):
            say(line)
    confirm(f"Make new keys for {here.name} now?", yes=yes, read="the lines above")
    new = change(here, utc_now())
    here = Site.at(here.path)
    card_file, since = here.keys / "card.json", new.earlier[-1].until
    if json_file:
        write_json(
            {
                "site": here.name,
                "since": since,
                "fingerprint": new.spoken,
                "replaced": old.spoken,
                "card": str(card_file),
                "partners": [c.name for c in here.book.cards().values()],
                "waiting": waiting,
            },
            json_file,
        )
    if json_file == "-":
        return
    say(
        f"{here.name} has new keys since {since[:10]} {since[11:16]} UTC. The old private keys are"
        " erased from this folder."
    )
    say(
        "1. Back up now with `securefl site backup`; destroy older copies of the keys, older"
        " backups too, wherever they are."
    )
    say(
        f"2. Give {card_file} to {', '.join(partners) or 'your partners'} and read them its new"
        " fingerprint by telephone:"
    )
    say(f"     {new.spoken}")
    say(
        "   They type `securefl site trust CARD` (a researcher: `securefl study trust CARD`) and"
        " see that it replaces the older card."
    )
    if waiting:
        say(
            "3. These requests name the old key and can no longer be approved; ask the researcher"
            f" to make them again: {', '.join(waiting)}"
        )
    say("Then: securefl site start")


def _what_it_does(old: IdentityCard, partners: list[str], waiting: list[str]) -> list[str]:
    """The page before the question."""
    lines = [
        f"{old.name} signs with the key of the card {old.spoken} until now. If you make new keys:",
        (
            "- the old private keys are erased; what they signed (ledger, approvals, checkpoints)"
            " can still be checked"
        ),
        (
            f"- no study with {old.name} can begin before its partners trust the new card:"
            f" {', '.join(partners) or 'nobody is on your list yet'}"
        ),
    ]
    if waiting:
        lines.append(
            "- requests that wait for you name the old key and can no longer be approved:"
            f" {', '.join(waiting)}"
        )
    return lines


def _waiting(here: Site) -> list[str]:
    from securefl.node.requests import kept_requests

    state = here.ledger.state
    return [
        r.short
        for r in kept_requests(here)
        if r.digest not in state.studies and not state.declined(r.digest)
    ]


@click.command()
@click.argument("name", metavar="[SITE]", required=False)
@click.option(
    "--out", "out", metavar="FILE", help="Write the signed checkpoint of SITE to this file."
)
@click.option(
    "--settled",
    is_flag=True,
    help=(
        "SITE has shown two pasts of its ledger, and you have telephoned: put what is held of it"
        " aside and go on."
    ),
)
@click.option(
    "--without",
    is_flag=True,
    help="SITE is silent, and is no longer waited for before a study starts.",
)
@click.option("--yes", is_flag=True, help="You have telephoned, or know why nobody can.")
@json_option
@site_option
def checkpoint(
    *,
    name: str | None,
    out: str | None,
    settled: bool,
    without: bool,
    yes: bool,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Hand out the checkpoint held here of another ledger.

    It shows whether a restored or doubted ledger has forgotten anything. A checkpoint says how many
    events a ledger had, and what the last one was, signed by the ledger's own hospital. The newest
    one of each partner is kept here. Without SITE, list them. With your own name, write one of your
    own ledger as it is now, for a privacy officer or anybody else to keep. Whoever doubts the
    ledger types, in its folder: securefl audit --verify --checkpoint FILE
    """
    from securefl.errors import UsageError

    here = open_site(folder)
    if name is None:
        if out or settled or without:
            raise UsageError(
                "--out, --settled and --without need the name of a hospital.",
                next_step="`securefl site checkpoint` lists them.",
            )
        _list(here, json_file)
        return
    if settled or without:
        (_settle if settled else _go_without)(here, name, yes=yes)
        return
    size, head, data = _one(here, name)
    found = {"site": name, "size": size, "head": head}
    if out:
        _write(out, data)
    if json_file:
        write_json(found, json_file)
    if json_file == "-":
        return
    say(
        f"{'The ledger' if name == here.name else 'The newest checkpoint held here: the ledger'} of"
        f" {name} had {size:,} {'event' if size == 1 else 'events'}; the last one was {head[:12]}."
    )
    if out:
        say(
            f"It is in {out}, signed by {name}. To compare, {name} types: securefl audit --verify"
            " --checkpoint FILE"
        )
    else:
        say(f"To hand it on: securefl site checkpoint {name} --out FILE")


def _settle(here: Site, name: str, *, yes: bool) -> None:
    from securefl.errors import UsageError
    from securefl.node.pasts import doubted, settle_doubt

    if not doubted(here, (name,)):
        raise UsageError(
            f"Nothing about the ledger of {name} is in doubt here.",
            next_step="`securefl site checkpoint` lists what is held.",
        )
    if not yes:
        say(
            f"{name} has signed two pasts of its ledger that cannot both be true. Either an older"
            " copy of it is at work again, which has"
        )
        say(
            "forgotten what was spent since, or two copies of that hospital run at once. Ask by"
            " telephone which, and that it was ended."
        )
        say(
            "If you go on, what is held here of its ledger is put aside, and the next checkpoint"
            " that it hands out counts as its first."
        )
    confirm(f"Has {name} told you by telephone what it was, and that it was ended?", yes=yes)
    aside = settle_doubt(here, name)
    say(
        f"Settled: studies with {name} can start again. What it had signed lies in {aside};"
        " keep it."
    )


def _go_without(here: Site, name: str, *, yes: bool) -> None:
    """The page before the question, and the note."""
    from securefl.errors import UsageError
    from securefl.node.checkpoints import hospitals_of
    from securefl.node.holders import excuse
    from securefl.party.clock import utc_now

    if name not in hospitals_of(here):
        raise UsageError(
            f"{name} is not among the hospitals on your list.",
            next_step="`securefl site trust` shows the list.",
        )
    if not yes:
        last = here.ledger.events()[-1].at
        say(
            f"Before a study starts, {here.name} waits for {name} to say which checkpoint of this"
            " ledger it holds."
        )
        say(
            f"This ledger has {here.ledger.size:,} events, the last one of {last[:10]}"
            f" {last[11:16]} UTC. Was this folder ever put back from a backup, or copied to another"
            " machine?"
        )
        say(
            f"Then {name} may know of approvals and spending that it has forgotten, and a study"
            f" could use them a second time: do not go on, but telephone {name}."
        )
        say(
            f"If it is the ledger that has always run here, nothing is lost by going on. {name} is"
            " waited for again once it has answered, and where it takes part itself."
        )
    confirm(f"Start studies without a word of {name}?", yes=yes)
    excuse(here, name, utc_now())
    say(f"{name} is not waited for any more, until it answers.")


def _one(here: Site, name: str) -> tuple[int, str, bytes]:
    from securefl.errors import UsageError
    from securefl.node.checkpoints import hospitals_of, kept

    if name == here.name:
        return here.ledger.size, here.ledger.head, here.ledger.checkpoint()
    card = hospitals_of(here).get(name)
    if card is None:
        raise UsageError(
            f"{name} is not among the hospitals on your list.",
            next_step=(
                "`securefl site trust` shows the list; `securefl site checkpoint` shows of whom a"
                " checkpoint is held."
            ),
        )
    held = kept(here, card)
    if held is None:
        known = ", ".join(row["site"] for row in _held(here)) or "none"
        raise UsageError(
            f"No checkpoint of {name} is held here. Held: {known}.",
            next_step="Hospitals hand them out with each round of a study that they run together.",
        )
    return held[0].size, held[0].head, held[1]


def _held(here: Site) -> list[dict[str, Any]]:
    """What is held of whom; ``fault`` where it cannot be read."""
    from securefl.errors import UnreadableError
    from securefl.node.checkpoints import hospitals_of, kept
    from securefl.node.pasts import doubted

    rows: list[dict[str, Any]] = []
    for name, card in hospitals_of(here).items():
        try:
            found = kept(here, card)
        except UnreadableError as error:
            rows.append({"site": name, "fault": str(error)})
            continue
        if found is not None:
            rows.append({"site": name, "size": found[0].size, "head": found[0].head})
            if doubted(here, (name,)):
                rows[-1]["fault"] = (
                    f"has shown two pasts of its ledger: telephone {name}, then securefl site"
                    f" checkpoint {name} --settled"
                )
    return rows


def _list(here: Site, json_file: str | None) -> None:
    rows = _held(here)
    if json_file:
        write_json({"held": rows}, json_file)
    if json_file == "-":
        return
    if not rows:
        say(
            "No checkpoint of another hospital is held here yet: they are handed out with each"
            " round of a study."
        )
    for row in rows:
        say(
            f"{row['site']:<16} {row['fault']}"
            if "fault" in row
            else f"{row['site']:<16} {row['size']:>8,} events, ending in {row['head'][:12]}"
        )
    if rows:
        say("To hand one on: securefl site checkpoint SITE --out FILE")


def _write(out: str, data: bytes) -> None:
    from pathlib import Path

    from securefl.errors import UsageError

    target: Path = Path(out)
    try:
        target.write_bytes(data)
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written: {error.strerror}.", next_step="Name another file."
        ) from None
