"""Lines of ``securefl consortium join``: whom to telephone, with the groups to compare."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from securefl.cli.consortium_facts import card_of
from securefl.cli.consortium_party import option_of
from securefl.cli.screen import say
from securefl.party.vouch import find_vouches, vouch_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.agreement.parties import AgreedParty
    from securefl.errors import SecureFLError
    from securefl.party.consortium import ConsortiumFolder
    from securefl.party.folder import PartyFolder

_GROUPS = {"hospital": "site", "researcher": "study", "aggregator": "aggregator"}


def say_trust(
    folder: ConsortiumFolder,
    mine: PartyFolder,
    parties: Sequence[AgreedParty],
    faults: Mapping[str, SecureFLError],
) -> None:
    """Say whose cards are not trusted yet, and what to compare by telephone.

    Args:
        folder: the consortium's, with the cards.
        mine: the reader's own.
        parties: of the agreement, in its order.
        faults: why parties are not who this party knows, by name.
    """
    own = faults.get(mine.name)
    if own is not None:
        say(f"{own.what} Next: {own.next_step}")
        return
    if not faults:
        say("You know every party by its card.")
        return
    listed = mine.book.cards()
    strangers = [party for party in parties if party.name in faults and party.name not in listed]
    for name, fault in faults.items():
        if name in listed:
            say(f"{name}: {fault.what} Next: {fault.next_step}")
    if strangers:
        _say_strangers(folder, mine, strangers)


def _say_strangers(
    folder: ConsortiumFolder,
    mine: PartyFolder,
    strangers: Sequence[AgreedParty],
) -> None:
    """Groups of parties that are on no list here yet, and the command that trusts them."""
    say("Telephone each of them on a number that you know from elsewhere, and compare the groups:")
    for party in strangers:
        say(f"  {party.name:<16} {party.role:<10}  {card_of(party).spoken}")
        _say_vouches(folder, mine, party)
    say(f"Read out yours, for {mine.name}:")
    say(f"  {mine.identity.card.spoken}")
    say("Where all agree:")
    cards = " ".join(str(folder.path / "cards" / f"{party.name}.json") for party in strangers)
    say(f"  securefl {_GROUPS[mine.settings.role]} trust {cards}{option_of(mine)}")


def _say_vouches(folder: ConsortiumFolder, mine: PartyFolder, party: AgreedParty) -> None:
    """Hospitals that vouch for a stranger, and the command that takes the word of one."""
    for plan in find_vouches(mine, folder, card_of(party), datetime.now(UTC)):
        say(f"    {plan.by} vouches for {party.name} until {plan.until}. Only if you cannot call:")
        card = folder.path / "cards" / f"{party.name}.json"
        file = vouch_file(folder, plan.by, party.name)
        role = _GROUPS[mine.settings.role]
        say(f"    securefl {role} trust {card} --vouch {file}{option_of(mine)}")
