"""``securefl flower``: a party's spool, and the runner beside its SuperNode."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from securefl.cli.screen import json_option, say, write_json
from securefl.errors import UsageError

if TYPE_CHECKING:
    from securefl.boards.flower.spool import Spool

#: Where a SuperNode listens for its runner unless it is told otherwise.
_ADDRESS: Final = "127.0.0.1:9094"


@click.command()
@click.argument("spool", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--supernode",
    "address",
    default=_ADDRESS,
    show_default=True,
    metavar="HOST:PORT",
    help="Where this machine's SuperNode listens: its --host and --port.",
)
@click.option("--make", "only_make", is_flag=True, help="Make the spool, and end.")
@click.option("--status", is_flag=True, help="Say what waits to be sent, and end.")
@json_option
def flower(
    *,
    spool: Path,
    address: str,
    only_make: bool,
    status: bool,
    json_file: str | None,
) -> None:
    """Carry the objects of the folder SPOOL over this machine's Flower SuperNode, until Ctrl-C.

    SPOOL is made where there is none; `--store flower://SPOOL` names it for a hospital, a
    researcher or an aggregator. No code that comes over the network is run.
    """
    from securefl.boards.flower.spool import Spool

    _check_address(address)
    folder = spool.absolute()
    if status or (json_file and not only_make):
        _show(Spool(folder), json_file)
        return
    found = Spool.create(folder)
    if only_make:
        _say_next(found, address)
        return
    _run(found, address)


def _check_address(address: str) -> None:
    """Refuse what is no address of this machine's SuperNode.

    Raises:
        UsageError: it is none.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise UsageError(
            f"{address!r} is no address of a SuperNode.",
            next_step=f"Give its --host and --port, as in --supernode {_ADDRESS}",
        )


def _show(spool: Spool, json_file: str | None) -> None:
    if json_file:
        facts = {"spool": str(spool.folder), "store": spool.store, "waiting": spool.waiting}
        write_json(facts, json_file)
        return
    if spool.store:
        say(f"{spool.folder} belongs to the SuperLink's store {spool.store}.")
    else:
        say(f"{spool.folder} belongs to no store yet: no message came from the SuperLink.")
    say(f"Objects that wait to be sent: {spool.waiting}.")


def _say_next(spool: Spool, address: str) -> None:
    from securefl.boards.flower.spool import SECRET

    host, _, port = address.rpartition(":")
    say(f"{spool.folder} is a spool. Its store, for `init`: flower://{spool.folder}")
    say("Start the SuperNode of this machine with its secret, and no apps of its own:")
    say(
        "  flower-supernode --superlink HOST:PORT --root-certificates CA.pem"
        f" --auth-supernode-private-key KEY --isolation process --host {host} --port {port}"
        f" --superexec-auth-secret-file {spool.folder / SECRET}"
    )
    say(f"Then: securefl flower {spool.folder}")


def _run(spool: Spool, address: str) -> None:
    from securefl.boards.flower.spool_runner import Runner

    runner = Runner(spool, address)
    say(f"Carrying {spool.folder} over the SuperNode at {address}; stop with Ctrl-C.")

    def told(taken: int, sent: int) -> None:
        if taken or sent:
            say(f"{taken} objects came, {sent} went.")

    def away() -> None:
        say("The SuperNode does not answer; it is asked again until it does.")

    runner.run(told, away)
