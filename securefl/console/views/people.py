"""People who decide here: the list, and its changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.console.view import Act, Draft, Planned, View, check_typed, two_passphrases
from securefl.errors import UsageError
from securefl.node.owner import people
from securefl.node.owner.pages import people_page
from securefl.report.rules import person_removal_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site

_PLACE = "settings/people"


def asked_two(site: Site) -> tuple[str, ...]:
    """Names of whom two have to say so, where the policy asks two; else none."""
    if not people.two_are_asked(site):
        return ()
    return tuple(person.name for person in people.listed_people(site))


def _read(site: Site, _: Asked) -> Mapping[str, Any]:
    listed = people.listed_people(site)
    return {
        "page": people_page(listed),
        "names": [person.name for person in listed],
        "two": asked_two(site),
    }


def _add(site: Site, asked: Asked) -> str:
    form = asked.form
    passphrase = form.get("passphrase", "")
    if passphrase != form.get("again", ""):
        raise UsageError(
            "The two passphrases are not the same. Nothing was done.",
            next_step="Go back, and type the same one twice.",
        )
    name = form.get("name", "").strip()
    people.add_person(site, name, passphrase, asked.at, two_passphrases(asked))
    return _PLACE


def _plan_removal(site: Site, asked: Asked) -> Planned:
    person = people.plan_person_removal(site, asked.form.get("person", ""))
    return Planned(
        person_removal_page(person.name),
        act=f"{_PLACE}/remove",
        button="Take off the list",
        busy="Removing",
        fields={"person": person.name},
        typed=person.name,
        two=asked_two(site),
    )


def _remove(site: Site, asked: Asked) -> str:
    name = asked.form.get("person", "")
    check_typed(asked, name)
    people.remove_person(site, name, two_passphrases(asked))
    return _PLACE


VIEWS = (View("/settings/people", "people.html", _read),)
ACTS = (
    Act("/settings/people/add", _add, _PLACE),
    Draft("/settings/people/plan-remove", _plan_removal, _PLACE),
    Act("/settings/people/remove", _remove, _PLACE),
)
