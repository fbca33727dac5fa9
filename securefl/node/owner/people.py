"""People who decide at a hospital: their keys, and their words on a study.

Under a policy of two, the list of people and the policy itself change with two people's signatures
only: whoever could add a person alone could agree twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import NotApprovedError, UnreadableError
from securefl.node import people, sealed_words
from securefl.node.own_policy import kept_policy
from securefl.node.owner.requests import check_undecided
from securefl.node.sealed_words import TWO, GivenWord, Word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.node.people import Person
    from securefl.node.requests import KeptRequest
    from securefl.node.site import Site

__all__ = ["TWO", "GivenWord", "Word"]


def listed_people(site: Site) -> tuple[Person, ...]:
    """Everybody on the list. Raises :class:`UnreadableError` where it was changed."""
    return people.people_of(site)


def two_are_asked(site: Site) -> bool:
    """True where the policy asks two people. Raises :class:`UnreadableError`."""
    policy = kept_policy(site)
    return policy is not None and policy.approvers == TWO


def add_person(
    site: Site,
    name: str,
    passphrase: str,
    now: str,
    two: Mapping[str, str] | None = None,
) -> Person:
    """Make a key for a person.

    Args:
        site: the hospital.
        name: of the person.
        passphrase: of their key.
        now: UTC, ISO 8601.
        two: passphrases of two people by name, where the policy asks two.

    Raises:
        NotApprovedError: the policy asks two people, and they did not both say so.
        UsageError: the name is taken or is none, or the passphrase is too short.
    """
    check_two_change(site, two)
    return people.add_person(site, name, passphrase, now)


def plan_person_removal(site: Site, name: str) -> Person:
    """Find the person who would be taken off the list; nothing is written.

    Raises:
        UsageError: nobody has that name.
        NotApprovedError: the policy asks two people, and fewer than two would stay: nobody could
            approve or change anything any more.
    """
    person = people.find_person(site, name)
    if two_are_asked(site) and len(people.people_of(site)) <= TWO:
        raise NotApprovedError(
            "This hospital's policy asks two people, and fewer than two would stay on the list.",
            whose="the people on this hospital's list",
            next_step="Add somebody else first, or sign a policy that asks one.",
        )
    return person


def remove_person(site: Site, name: str, two: Mapping[str, str] | None = None) -> None:
    """Take a person off the list. Raises as :func:`add_person` and :func:`plan_person_removal`."""
    plan_person_removal(site, name)
    check_two_change(site, two)
    people.remove_person(site, name)


def check_two_change(site: Site, two: Mapping[str, str] | None) -> None:
    """Refuse a change of people or policy that two people have to make.

    Where the policy cannot be read it may have asked two: two who are on the list are asked then.
    Else one of them could spoil the file, and sign another alone.

    Raises:
        NotApprovedError: fewer than two, or a passphrase is wrong.
        UsageError: a name is not on the list.
        UnreadableError: the list of people was changed by somebody else, or is gone.
    """
    try:
        asked = two_are_asked(site)
    except UnreadableError:
        asked = len(people.people_of(site)) >= TWO
    if not asked:
        return
    names = sorted(two or {})
    if len(names) != TWO:
        raise NotApprovedError(
            "This hospital's policy asks two people: they change its people and its policy"
            " together.",
            whose="the people on this hospital's list",
            next_step="Give --as NAME twice; each types their own passphrase.",
        )
    for name in names:
        people.unlock(site, name, (two or {})[name])


def plan_word(site: Site, name: str, person: str) -> tuple[KeptRequest, GivenWord | None]:
    """Find the request on which a person is to give their word, and the word if it was given.

    Raises:
        UsageError: no request, or nobody, has that name.
        NotApprovedError: it was decided before, or the policy asks for no second person.
        UnreadableError: list or words were changed by somebody else.
    """
    request = check_undecided(site, name)
    people.find_person(site, person)
    if not two_are_asked(site):
        raise NotApprovedError(
            "This hospital's policy does not ask two people.",
            next_step="`approvers = 2` in the file of `securefl site policy set` does.",
        )
    given = sealed_words.words_on(site, request.digest)
    own = [word for word in given if word.person.name == person]
    return request, own[0] if own else None


def say_word(
    site: Site,
    request: KeptRequest,
    person: str,
    passphrase: str,
    word: Word | None,
) -> tuple[GivenWord, ...]:
    """Give a word on a request, or open the one that was given.

    Args:
        site: the hospital.
        request: from :func:`plan_word`.
        person: whose word.
        passphrase: theirs.
        word: yes or no; None to open the one that was given.

    Returns:
        The words as they are now.

    Raises:
        NotApprovedError: a wrong passphrase, a word given before, or one that cannot be opened yet.
        UnreadableError: list or words were changed by somebody else.
    """
    key = people.unlock(site, person, passphrase)
    if word is None:
        return sealed_words.open_word(site, request.digest, key)
    return sealed_words.give_word(site, request.digest, key, word)


def words_on(site: Site, digest: str) -> tuple[GivenWord, ...]:
    """Words on a study as far as they can be seen. Raises :class:`UnreadableError`."""
    return sealed_words.words_on(site, digest)
