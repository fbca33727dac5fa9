"""Bundle: a folder with a signed manifest and the objects that it lists, and nothing else.

::

    manifest         the sender's signed list (:mod:`securefl.party.airlock.manifest`)
    objects/PATH     each object, at its path on the board

Order of every reading (rule 5): length and signature of the list; names, lengths and hashes of all
files; at last each object against its kind. A checker needs the sender's card and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.boards.opening import open_board
from securefl.errors import MessageError, UnreadableError, UntrustedError
from securefl.files import file_sha256, files_below, read_given
from securefl.party.airlock.checks import BundleObjects
from securefl.party.airlock.ciphertexts import refused
from securefl.party.airlock.kinds import place_of
from securefl.party.airlock.manifest import MOST_OBJECTS, AirlockManifest, manifest_sha256
from securefl.signature_check import SignerAmong

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from securefl.federation.round_plan import RoundPlan
    from securefl.identity import IdentityCard
    from securefl.party.airlock.kinds import Place
    from securefl.types import Verify

MANIFEST: Final = "manifest"
OBJECTS: Final = "objects"
#: Public objects that a bundle repeats, so that the others can be checked by it alone.
CONTEXT: Final = frozenset({"study", "invitation", "announcement", "survivors"})


@dataclass(frozen=True)
class SignedManifest:
    """A manifest whose signature holds, and by whose card.

    Attributes:
        said: what it says.
        sha256: of its bytes.
        card: of its sender.
    """

    said: AirlockManifest
    sha256: str
    card: IdentityCard


@dataclass(frozen=True)
class CheckedBundle:
    """A bundle, every part of it checked.

    Attributes:
        manifest: its signed list.
        places: its objects.
        plans: digest to study.
    """

    manifest: SignedManifest
    places: tuple[Place, ...]
    plans: Mapping[str, RoundPlan]


def read_manifest(folder: Path, cards: Iterable[IdentityCard]) -> SignedManifest:
    """Read the list of a bundle that one of these cards signed.

    Raises:
        UnreadableError: the folder holds no list.
        MessageError: it is too long, or malformed.
        UntrustedError: none of the cards signed it.
    """
    file = folder / MANIFEST
    if not file.is_file():
        raise UnreadableError(
            f"{folder} is no bundle: it has no file '{MANIFEST}'.",
            whose="whoever gave you the folder",
            next_step="Name the folder that `securefl board export` made.",
        )
    data = read_given(file, AirlockManifest.MAX_BYTES)
    signed = SignerAmong(cards)
    try:
        said = AirlockManifest.open(data, verify=signed, sender="a bundle's sender")
    except MessageError:
        if signed.signer is not None:
            raise
        raise UntrustedError(
            f"The list of {folder} is signed by nobody who is trusted here, or was changed.",
            whose="whoever gave you the folder",
            next_step="Trust the sender's card first, after a telephone call; else do not import.",
        ) from None
    card = signed.known
    if said.party != card.name:
        raise UntrustedError(
            f"The list says that it is of {said.party}; {card.name} signed it.",
            whose=card.name,
            next_step="Do not import it; telephone both.",
        )
    return SignedManifest(said, manifest_sha256(data), card)


def check_bundle(
    folder: Path,
    manifest: SignedManifest,
    keys: Mapping[str, Verify],
) -> CheckedBundle:
    """Hold a bundle to its list, and each object to its kind.

    Args:
        folder: the bundle, in a place that nobody else writes.
        manifest: its list (:func:`read_manifest`).
        keys: party to its key, for what belongs to no study.

    Raises:
        UnreadableError: a file was altered, added or taken away.
        MessageError: an object is not what may pass.
    """
    said = manifest.said
    _check_files(folder, said)
    places = tuple(place_of(path) for path in sorted(said.objects))
    there = BundleObjects(
        open_board(str(folder / OBJECTS)), {said.party: manifest.card.verify, **keys}
    )
    # What belongs to no study has no digest.
    digests = {at.study for at in places if at.study}
    plans = {digest: there.plan(digest) for digest in sorted(digests)}
    for plan in plans.values():
        _check_party(manifest.card, plan)
    for at in places:
        _check_sender(manifest, at, plans.get(at.study), said.objects.keys())
        there.check(at)
    return CheckedBundle(manifest, places, plans)


def _check_files(folder: Path, said: AirlockManifest) -> None:
    """Exactly the listed files, each of its length and hash."""
    there = bundle_files(folder)
    wanted = {MANIFEST, *(f"{OBJECTS}/{path}" for path in said.objects)}
    for names, what in ((there - wanted, "is not on the list"), (wanted - there, "is missing")):
        if names:
            raise altered(f"{min(names)!r} {what}")
    for path, listed in said.objects.items():
        file = folder / OBJECTS / path
        if file.stat().st_size != listed.bytes:
            raise altered(f"{path} has another length than the list says")
        if file_sha256(file) != listed.sha256:
            raise altered(f"{path} is not the object that the sender signed")


def bundle_files(folder: Path) -> set[str]:
    """Names of everything in a bundle that is no folder itself.

    Raises:
        UnreadableError: something is neither file nor folder, or there is too much.
    """
    return files_below(folder, MOST_OBJECTS + 1, altered)


def _check_party(card: IdentityCard, plan: RoundPlan) -> None:
    """The sender is a party of the study, by the key that the study names."""
    study = plan.study
    keys = {p.name: p.signing_public for p in study.participants}
    keys[study.coordinator.name] = study.coordinator.signing_public
    keys[study.aggregator.name] = study.aggregator.signing_public
    if keys.get(card.name) != card.signing_public:
        raise MessageError(
            f"{card.name} is no party of {plan.sealed.name}, or has other keys there.",
            whose=card.name,
            next_step="A bundle carries studies of its sender alone; do not import it.",
        )


def _check_sender(
    manifest: SignedManifest,
    at: Place,
    plan: RoundPlan | None,
    listed: Iterable[str],
) -> None:
    """The sender may hand out this object: its own, or as the study's coordinator all of it."""
    said = manifest.said
    study = None
    if plan is not None:
        study = plan.study
    if at.kind.word in CONTEXT:
        return
    writer = at.writer(study)
    relays = study is None or study.coordinator.name == said.party
    if writer != said.party and not (relays and manifest.card.role == "researcher"):
        raise refused(at.path, f"it is of {writer}, and {said.party} hands out its own alone")
    if manifest.card.role != "hospital" or at.kind.unasked:
        return
    approval = f"studies/{at.study}/approvals/{said.party}"
    if approval not in listed:
        raise refused(at.path, f"{said.party} has not approved its study")


def altered(why: str) -> UnreadableError:
    """Make the refusal of a bundle that is not as it was signed."""
    return UnreadableError(
        f"This bundle cannot be relied on: {why}.",
        whose="whoever carried it",
        next_step="Do not import it; ask the sender for a new export, and say what was found.",
    )
