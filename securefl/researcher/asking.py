"""Study on its way to the hospitals: the request through PySyft or off the board, and their signed
words since.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from securefl.datasite.address import site_email, site_name
from securefl.datasite.site import open_datasite
from securefl.errors import NotApprovedError, RoundError
from securefl.federation.messages import Invitation
from securefl.federation.round_plan import card_of
from securefl.federation.status_board import departures, end_of, first_to_end, status_of
from securefl.federation.study_board import StudyBoard
from securefl.federation.study_request import StudyRequest, request_way
from securefl.identity import verify
from securefl.party.pysyft_keys import signed_fingerprint
from securefl.report.study import study_words
from securefl.researcher.run_study import goes_on, is_running, refuse_second, was_run
from securefl.researcher.study_beginning import is_cancelled
from securefl.study.approval import open_approval

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.federation.round_plan import RoundPlan
    from securefl.identity import IdentityCard
    from securefl.party.folder import PartyFolder


def send_request(lab: PartyFolder, plan: RoundPlan, name: str) -> dict[str, str]:
    """Send a study to every hospital that has not got it yet, and invite the aggregator.

    Hospitals that say so take it off the board, the others' datasites get it through PySyft.

    Returns site → job of those.

    Raises:
        NotApprovedError: as :meth:`securefl.api.Study.request`.
    """
    board = lab.board
    study = plan.study
    off_board = without_pysyft(lab, plan)
    files = {"study.toml": plan.sealed.text.decode(), "README.md": study_words(study, plan.digest)}
    keys = {
        p.name: signed_fingerprint(board, card_of(p), site_email(p.name))
        for p in study.participants
        if p.name not in off_board
    }
    silent = ", ".join(site for site, key in keys.items() if key is None)
    if silent:
        raise NotApprovedError(
            f"The datasite of {silent} has not said which PySyft keys are its own. Nothing was"
            " sent.",
            whose=f"the data owner of {silent}",
            next_step=(
                "Ask its owner to start the agent (`securefl site start`), then request again."
            ),
        )
    jobs = {}
    if StudyBoard(board, plan.digest).request.read_head(1) is None:
        jobs = dict.fromkeys(off_board, f"board/{name}")
    offer_study(lab, plan)
    if not keys:
        return jobs
    with open_datasite(
        lab.board,
        site_email(lab.name),
        lab.datasite,
        "researcher",
    ) as desk:
        desk.sync()
        for site, key in keys.items():
            if not desk.was_sent(site_email(site), name):
                jobs[site] = desk.submit(site_email(site), name, files, key or "")
        desk.sync()
    return jobs


def offer_study(lab: PartyFolder, plan: RoundPlan) -> None:
    """Put a study's text, the invitation to it and the request onto the researcher's board."""
    me = lab.identity
    on_board = StudyBoard(lab.board, plan.digest)
    text = plan.sealed.text
    on_board.text.post(text)
    on_board.invitation.post(Invitation(plan.digest, me.card.name).dump(me.sign))
    # after the text that it signs: whoever sees the request finds what it speaks of
    on_board.request.post(StudyRequest.of(plan.digest, me.card.name, text).dump(me.sign))


def without_pysyft(lab: PartyFolder, plan: RoundPlan) -> tuple[str, ...]:
    """Names of a study's hospitals that take requests off the board, as each has signed.

    Raises:
        StoreError: the store cannot be reached.
    """
    parties = plan.study.participants
    return tuple(p.name for p in parties if request_way(lab.board, card_of(p)) is not None)


def states(lab: PartyFolder, plan: RoundPlan) -> dict[str, str]:
    """Site → ``waiting``, ``approved``, ``new-keys`` or the code it ended with.

    See :meth:`securefl.api.Study.status`.
    """
    cards = lab.book.cards()
    result = {}
    for site in plan.study.cohort:
        key = plan.study.participant(site).signing_public
        successor = _successor(cards.get(site), key)
        code = _last_word(lab, plan, site, key)
        if code is None and successor is not None:
            code = _last_word(lab, plan, site, successor)
        if code is None:
            code = "waiting"
            if _approved(lab, plan, site):
                code = "approved"
            elif successor is not None:
                code = "new-keys"
        result[site] = code
    return result


def _successor(card: IdentityCard | None, key: str) -> str | None:
    """The key that a party has now, where it took the place of this one."""
    if card is None:
        return None
    earlier = [one.signing_public for one in card.earlier]
    if key not in earlier:
        return None
    return card.signing_public


def causes(lab: PartyFolder, plan: RoundPlan) -> dict[str, tuple[str, str]]:
    """Site → whom it followed when it ended its part, and that party's code.

    See :meth:`securefl.api.Study.causes`.
    """
    return {
        site: (word.cause, word.cause_code)
        for site, word in departures(lab.board, plan).items()
        if word.cause
    }


def run_words(lab: PartyFolder, folder: Path, plan: RoundPlan) -> str:
    """A sentence on the study's run; empty where it was not run yet."""
    if is_running(folder):
        return "The study is running."
    if goes_on(lab, folder, plan):
        return "The run was interrupted; `securefl study run` again goes on with it."
    if is_cancelled(folder):
        return "The study was cancelled before it began; nothing was charged."
    said = end_of(lab.board, plan)
    if said is not None and said.outcome != "completed":
        first = first_to_end(lab.board, plan, said)
        why = f"{first[0]} ended its part, '{first[1]}'" if first else f"'{said.outcome}'"
        return (
            f"The study was run and ended early ({why}, after {said.rounds} of {plan.last_round}"
            " rounds). It runs once; `securefl study new ... --id NAME` makes another."
        )
    if was_run(folder):
        return "The study ran to its end; `securefl study report` shows its result."
    return ""


def shown_states(lab: PartyFolder, plan: RoundPlan, name: str) -> dict[str, str]:
    """Site → what its datasite shows for the request of that name, with the note beside it.

    PySyft is opened only where a hospital of the study has a datasite.
    """
    if len(without_pysyft(lab, plan)) == len(plan.study.cohort):
        return {}
    with open_datasite(
        lab.board,
        site_email(lab.name),
        lab.datasite,
        "researcher",
    ) as desk:
        desk.sync()
        mine = [r for r in desk.requests() if r.name == name]
    return {site_name(r.hospital): f"{r.status}: {r.note}".removesuffix(": ") for r in mine}


def refuse_if_over(
    lab: PartyFolder,
    folder: Path,
    plan: RoundPlan,
    now: dict[str, str],
) -> None:
    """Refuse to go on with a study that somebody ended, and say who.

    Who only followed (the code of a failed round) cannot mend it, and is not asked to.

    Args:
        lab: the researcher's folder.
        folder: the study's folder in it.
        plan: the study.
        now: from :func:`states`.

    Raises:
        UsageError: the study was run here before.
        NotApprovedError: a hospital refused or left.
    """
    gone = {s: c for s, c in now.items() if c not in {"waiting", "approved"}}
    if not gone:
        return
    refuse_second(lab, folder, plan)
    followed = causes(lab, plan)
    alone = {s: c for s, c in gone.items() if s not in followed}
    first = {s: c for s, c in alone.items() if c != RoundError.code} or alone or gone
    after = ", ".join(s for s in gone if s not in first)
    said = ", ".join(f"{s} ({c})" for s, c in first.items())
    raise NotApprovedError(
        f"The study cannot run: {said}."
        + (f" It is over for {after} too, because of that." if after else ""),
        whose=", ".join(first),
        next_step=(
            "Ask the data owner for the reason; then make another study (`securefl study new ..."
            " --id NAME`)."
        ),
    )


def _approved(lab: PartyFolder, plan: RoundPlan, site: str) -> bool:
    key = plan.study.participant(site).signing_public
    read = partial(
        open_approval,
        site=site,
        study=plan.digest,
        verify=partial(verify, key),
    )
    return StudyBoard(lab.board, plan.digest).approval(site).read_as(read) is not None


def _last_word(
    lab: PartyFolder,
    plan: RoundPlan,
    site: str,
    signing_public: str,
) -> str | None:
    said = status_of(lab.board, plan.digest, site, signing_public)
    if said:
        return said.code
    return None
