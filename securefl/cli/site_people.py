"""``securefl site people`` and ``securefl site word``: people who decide, and their words."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from securefl.cli.screen import confirm, json_option, say, write_json
from securefl.cli.site_folder import open_site, site_option
from securefl.errors import UsageError

if TYPE_CHECKING:
    from securefl.node.owner.people import GivenWord, Word


@click.group()
def people() -> None:
    """People who decide at this hospital, each with a key of their own under a passphrase.

    With `approvers = 2` in the policy two of them have to agree before the hospital approves a
    study (`securefl site word`), and two together change this list and the policy.
    """


two_option = click.option(
    "--as",
    "two",
    multiple=True,
    metavar="NAME",
    help="Where the policy asks two people: both, each types a passphrase.",
)


def typed_passphrases(names: tuple[str, ...]) -> dict[str, str]:
    """Ask each of these people for their passphrase."""
    return {name: _passphrase(name) for name in names}


@people.command("add")
@click.argument("name")
@two_option
@site_option
def people_add(name: str, two: tuple[str, ...], folder: str | None) -> None:
    """Make a key for NAME, who types a new passphrase. Nobody can find out a forgotten one."""
    from securefl.node.owner.people import add_person, check_two_change
    from securefl.party.clock import utc_now

    here = open_site(folder)
    given = typed_passphrases(two)
    check_two_change(here, given)
    passphrase = _passphrase(name, new=True)
    person = add_person(here, name, passphrase, utc_now(), given)
    say(f"{person.name} is on the list, with the key {person.signing_public[:16]}…")


@people.command("list")
@json_option
@site_option
def people_list(json_file: str | None, folder: str | None) -> None:
    """List everybody who decides here."""
    from securefl.node.owner.people import listed_people

    found = listed_people(open_site(folder))
    if json_file:
        write_json({"people": [vars(person) for person in found]}, json_file)
        if json_file == "-":
            return
    if not found:
        say("Nobody is listed: whoever works with this folder decides.")
    for person in found:
        say(f"{person.name:<24} since {person.since[:10]}  key {person.signing_public[:16]}…")


@people.command("remove")
@click.argument("name")
@two_option
@click.option("--yes", is_flag=True, help="You know that their words on open requests are void.")
@site_option
def people_remove(
    name: str,
    two: tuple[str, ...],
    yes: bool,
    folder: str | None,
) -> None:
    """Take NAME off the list and erase the key; what they signed stays in the audit."""
    from securefl.node.owner.people import check_two_change, plan_person_removal, remove_person

    here = open_site(folder)
    plan_person_removal(here, name)
    given = typed_passphrases(two)
    check_two_change(here, given)
    confirm(f"Take {name} off the list?", yes=yes)
    remove_person(here, name, given)
    say(f"{name} is off the list.")


@click.command()
@click.argument("request_id", metavar="ID")
@click.option("--as", "person", required=True, metavar="NAME", help="Your name on the list.")
@site_option
def word(request_id: str, person: str, folder: str | None) -> None:
    """Give your word on a request, where the policy asks two people.

    It is sealed: the other does not see it before they gave theirs, and you cannot change it. If you
    are the first, come again when the other has been here, to open yours.
    """
    from securefl.node.owner.people import plan_word, say_word

    here = open_site(folder)
    request, given = plan_word(here, request_id, person)
    said: Word | None = None
    if given is None:
        said = click.prompt(
            f"Your word on {request.short}", type=click.Choice(["yes", "no"]), err=True
        )
    words = say_word(here, request, person, _passphrase(person), said)
    _say_words(request.short, words)


def _say_words(short: str, words: tuple[GivenWord, ...]) -> None:
    """State of the words; one that is not opened is not shown."""
    for given in words:
        say(f"  {given.person.name:<24} {given.word or 'sealed'}")
    closed = [given.person.name for given in words if given.word is None]
    if len(words) == 1:
        say("Sealed. It is opened when a second person has given theirs.")
    elif closed:
        say(f"Both gave their word. {closed[0]} opens theirs with the same command.")
    elif all(given.word == "yes" for given in words):
        say(f"Both said yes. Next: securefl site approve {short}")
    else:
        say(f"Not both said yes. Next: securefl site refuse {short}")


def _passphrase(name: str, *, new: bool = False) -> str:
    """Ask for a passphrase, twice where it is a new one.

    Raises:
        UsageError: standard input is closed: nobody can type.
    """
    if sys.stdin is None:
        raise UsageError(
            "Nobody can type a passphrase here: the command has no input.",
            next_step="Give the same command at a terminal.",
        )
    words = f"New passphrase of {name}" if new else f"Passphrase of {name}"
    typed: str = click.prompt(words, hide_input=True, confirmation_prompt=new, err=True)
    return typed
