"""Code requests as PySyft jobs: submitted and followed by a researcher, decided by a hospital.

A request is text only: ``study.toml``, ``README.md`` and the two fixed scripts that run nothing.
Nobody here executes a submitted file, and PySyft's own job runner is not used.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from securefl.datasite.address import check_email, site_name
from securefl.datasite.client import translated
from securefl.datasite.entry import FIXED, NOTICE
from securefl.datasite.layout import (
    INBOX,
    JOB_PROTOCOL,
    MAX_FILE,
    MAX_FILES,
    MAX_OUTPUT,
    MAX_OUTPUTS,
    is_job_name,
    is_name,
)
from securefl.datasite.local_files import read_json, write_json
from securefl.datasite.models import FINAL, Request, Status
from securefl.datasite.peers import fingerprint
from securefl.datasite.pysyft import (
    PERMISSION_FILE_NAME,
    CompatAction,
    JobState,
    JobStatus,
    JobSubmissionMetadata,
)
from securefl.errors import NotApprovedError, UnreadableError, UntrustedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from securefl.datasite.decisions import Decision, Decisions

_OURS: dict[str, Status] = {
    "received": "pending",
    "pending": "pending",
    "approved": "approved",
    "rejected": "rejected",
    "running": "running",
    "done": "done",
    "failed": "failed",
}
#: States in PySyft that claim no approval.
_UNDECIDED = frozenset({"pending", "sent", "rejected"})


def submit(
    client: Any,  # noqa: ANN401 - PySyft is untyped
    home: Path,
    hospital: str,
    name: str,
    files: Mapping[str, str],
    *,
    expected: str = "",
) -> str:
    """Send a request to a hospital; return its job, ``<sender>/<name>``.

    Args:
        client: PySyft's client of a researcher.
        home: the researcher's own folder; ``sent.json`` there says what left, so that a killed
            process can send again.
        hospital: address of the datasite.
        name: of the request, new at that hospital.
        files: path below the code folder → text, with ``study.toml`` and ``README.md``.
        expected: fingerprint of the keys that must be pinned for the hospital, or empty.

    Raises:
        UntrustedError: other keys are pinned.
        UsageError: the name or a file cannot be sent.
        NotApprovedError: the hospital has not approved this researcher as a peer.
    """
    check_email(hospital)
    texts = {**{f"code/{p}": t for p, t in files.items()}, **FIXED}
    _check_sendable(name, files)
    with translated(f"send the request {name} to {site_name(hospital)}"):
        client.load_peers()
        _check_peer(client, hospital, expected)
        jobs = client.job_client.manager
        ref = jobs.new_submission_ref(hospital, name)
        folder = jobs.submission_dir(ref)
        if was_sent(client, home, hospital, name):
            raise UsageError(
                f"A request {name} was already sent to {site_name(hospital)}.",
                next_step="Choose another name.",
            )
        # What a killed process left of this request; it did not leave, so it is made anew.
        shutil.rmtree(folder, ignore_errors=True)
        try:
            for path, text in texts.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(text.encode())
            jobs.write_submission(
                ref,
                JobSubmissionMetadata(
                    name=name,
                    type="python",
                    submitted_by=client.email,
                    datasite_email=hospital,
                    submitted_at=datetime.now(UTC),
                    entrypoint="main.py",
                    files=sorted(p.removeprefix("code/") for p in texts if p.startswith("code/")),
                    is_folder_submission=True,
                ),
            )
            _push(client, folder, {**texts, "config.yaml": (folder / "config.yaml").read_text()})
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        sent = read_json(home / "sent.json")
        write_json(home / "sent.json", {**sent, f"{hospital}/{name}": True})
    return f"{client.email}/{name}"


def was_sent(client: Any, home: Path, hospital: str, name: str) -> bool:  # noqa: ANN401 - PySyft is untyped
    """True if a request of that name left for that hospital.

    By ``sent.json``, or because its datasite shows it.
    """
    taken_in = Path(hospital).joinpath(
        *INBOX,
        client.email,
        JOB_PROTOCOL,
        name,
        "config.yaml",
    )
    return (
        f"{hospital}/{name}" in read_json(home / "sent.json")
        or taken_in in client.sync_engine.datasite_watcher_syncer.datasite_watcher_cache.file_hashes
    )


def _push(client: Any, folder: Path, texts: Mapping[str, str]) -> None:  # noqa: ANN401 - PySyft is untyped
    """Send one message for the whole request.

    The texts are passed on as they are: PySyft would translate line ends on reading.
    """
    watcher = client.sync_engine.datasite_watcher_syncer
    for count, (path, text) in enumerate(texts.items(), start=1):
        watcher.on_file_change(
            (folder / path).relative_to(client.syftbox_folder),
            content=text,
            process_now=count == len(texts),
        )


def _check_sendable(name: str, files: Mapping[str, str]) -> None:
    """Check a request by the rules that the hospital's guard will apply."""
    if not is_job_name(name):
        raise UsageError(
            f"{name!r} cannot name a request.",
            next_step="Use letters, digits, '-', '_' and '.', at most 80.",
        )
    if (
        not {"study.toml", "README.md"} <= set(files)
        or "main.py" in files
        or len(files) + 3 > MAX_FILES
    ):
        raise UsageError(
            "A request holds study.toml and README.md, and not main.py, which is ours.",
            next_step="Let 'securefl study request' make it.",
        )
    for path, text in files.items():
        if not all(is_name(p) for p in path.split("/")) or path.endswith(PERMISSION_FILE_NAME):
            raise UsageError(f"{path!r} cannot be sent.", next_step="Use plain names.")
        if "\0" in text or len(text.encode()) > MAX_FILE:
            raise UsageError(
                f"{path} is not text, or longer than {MAX_FILE} bytes.", next_step="Send less."
            )


def _check_peer(client: Any, hospital: str, expected: str) -> None:  # noqa: ANN401 - PySyft is untyped
    """Check that a hospital approved this researcher, by the expected keys and PySyft's version."""
    manager = client.peer_manager
    approved = any(p.email == hospital for p in manager.approved_peers)
    if not approved or not manager.peer_store.has_peer_bundle(hospital):
        raise NotApprovedError(
            f"{site_name(hospital)} has not approved this researcher as a peer.",
            whose=f"the data owner of {site_name(hospital)}",
            next_step="Ask to be a peer, and wait for the approval.",
        )
    pinned = fingerprint(manager.get_cached_peer(hospital).public_encryption_bundle)
    if expected and pinned != expected:
        raise UntrustedError(
            f"The PySyft keys pinned for {site_name(hospital)} are not those expected: {pinned}.",
            whose="the researcher",
            next_step="Compare the fingerprint with the hospital, end the approval and ask again.",
        )
    if manager.get_peer_compatibility_status(hospital, action=CompatAction.SUBMIT).should_skip:
        raise UsageError(
            f"{site_name(hospital)} runs another version of PySyft.",
            whose="both sides",
            next_step="Upgrade both to the same release of securefl.",
        )


def list_requests(client: Any, decisions: Decisions | None) -> tuple[Request, ...]:  # noqa: ANN401 - PySyft is untyped
    """List requests to this hospital (with its decisions) or by this researcher (without).

    By hospital and name.
    """
    with translated("list the requests"):
        if decisions is not None:
            client.job_client.scan_inbox()
        own = {}
        if decisions is not None:
            own = decisions.all()
        found = []
        for ref in _refs(client, owner=decisions is not None):
            state = _state(client, ref)
            job = f"{ref.ds_email}/{ref.job_name}"
            # A hospital goes by its own record, a researcher by what the hospital published.
            if decisions is not None:
                status, note = _decided(own.get(job))
            else:
                status, note = _shown(state)
            received = ""
            if state and state.received_at:
                received = state.received_at.isoformat(timespec="seconds")
            jobs = client.job_client.manager
            found.append(
                Request(
                    job=job,
                    hospital=ref.datasite_email,
                    sender=ref.ds_email,
                    name=ref.job_name,
                    status=status,
                    note=note,
                    received=received,
                    files=_texts(jobs.submission_dir(ref) / "code", MAX_FILES, MAX_FILE),
                    outputs=_texts(jobs.review_dir(ref) / "outputs", MAX_OUTPUTS, MAX_OUTPUT),
                )
            )
    return tuple(found)


def _shown(state: Any) -> tuple[Status, str]:  # noqa: ANN401 - PySyft is untyped
    """Status and note of a request as PySyft has them."""
    if not state:
        return "sent", ""
    return _OURS[state.status.value], state.review_reason or ""


def _decided(decision: Decision | None) -> tuple[Status, str]:
    """Status and note of a request by this site's own record."""
    if decision is None:
        return "pending", ""
    return decision.status, decision.reason


def reconcile(client: Any, decisions: Decisions) -> tuple[str, ...]:  # noqa: ANN401 - PySyft is untyped
    """Take in new requests and make PySyft's states say what this site decided.

    Returns the jobs that were new. A refusal made in PySyft is the owner's and is kept. An approval
    made there alone is not: the request stays pending and its text names our command. A finished
    request stays finished, whatever was replayed.
    """
    with translated("bring the requests up to date"):
        _drop_halves(client)
        own = decisions.all()
        new = []
        manager = client.job_client.manager
        for ref in _refs(client, owner=True):
            job = f"{ref.ds_email}/{ref.job_name}"
            if not (manager.review_dir(ref) / "state.yaml").exists() and job not in own:
                new.append(job)
        client.job_client.scan_inbox()
        for ref in _refs(client, owner=True):
            job = f"{ref.ds_email}/{ref.job_name}"
            _reconcile_one(client, ref, decisions, job, own.get(job))
    return tuple(new)


def _reconcile_one(
    client: Any,  # noqa: ANN401 - PySyft is untyped
    ref: Any,  # noqa: ANN401 - PySyft is untyped
    decisions: Decisions,
    job: str,
    decided: Decision | None,
) -> None:
    """Make PySyft's state of one request say what this site decided."""
    state = _state(client, ref)
    shown, reason = _shown(state)
    if state is None:
        _write_state(client, ref, *_decided(decided))
    elif decided is None and shown == "rejected":
        decisions.set(job, "rejected", reason or "Refused in PySyft.")
    elif (decided is None or decided.status == "pending") and shown not in _UNDECIDED:
        # Approved or run in PySyft alone: that decides nothing here.
        note = decisions.set(job, "pending", NOTICE)
        _write_state(client, ref, note.status, note.reason)
    elif decided is not None and (shown, reason) != (decided.status, decided.reason):
        _write_state(client, ref, decided.status, decided.reason)


def forget_sent(client: Any) -> None:  # noqa: ANN401 - PySyft is untyped
    """Let PySyft take every request and review here for unpublished.

    The next synchronisation then sends them again.
    """
    owner = client.sync_engine.datasite_owner_syncer
    if owner is not None:
        hashes = owner.event_cache.file_hashes
        for path in hashes.keys():  # noqa: SIM118 - its iterator is not a dict's
            if path.parts[:2] == INBOX[:2]:
                hashes.pop(path)


def _drop_halves(client: Any) -> None:  # noqa: ANN401 - PySyft is untyped
    """Remove what a process killed while taking in a request left behind.

    The message is still there and is taken in again. ``config.yaml`` is the last file of a request
    to be written; without it PySyft does not see a request at all.
    """
    inbox = client.syftbox_folder.joinpath(client.email, *INBOX)
    for folder in inbox.glob(f"*/{JOB_PROTOCOL}/*"):
        last = folder / "config.yaml"
        if not last.exists() or not last.read_bytes():
            shutil.rmtree(folder)


def decide(client: Any, decisions: Decisions, job: str, status: Status | None, reason: str) -> None:  # noqa: ANN401 - PySyft is untyped
    """Record a decision, or with ``status`` None only a text, and show it in PySyft.

    Raises:
        UsageError: no such request, or not from its present state.
    """
    ref = _find(client, job)
    recorded, _ = _decided(decisions.all().get(job))
    decided = decisions.set(job, status or recorded, reason)
    with translated(f"record the decision on {job}"):
        _write_state(client, ref, decided.status, decided.reason)


def put_output(client: Any, job: str, name: str, text: str) -> None:  # noqa: ANN401 - PySyft is untyped
    """Put a small text for the researcher beside a request.

    It leaves with the next synchronisation.

    Raises:
        UsageError: no such request, or the text cannot be sent.
    """
    folder = client.job_client.manager.review_dir(_find(client, job)) / "outputs"
    names = {name}
    if folder.exists():
        names |= {p.name for p in folder.iterdir()}
    # A permission file would change who may read what lies beside it.
    plain_name = is_name(name) and name != PERMISSION_FILE_NAME
    small_text = "\0" not in text and len(text.encode()) <= MAX_OUTPUT
    if not plain_name or not small_text or len(names) > MAX_OUTPUTS:
        raise UsageError(
            f"{name!r} cannot be an output: plain names, text of at most {MAX_OUTPUT} bytes, at"
            f" most {MAX_OUTPUTS}.",
            next_step="Send less.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(text.encode())


def _find(client: Any, job: str) -> Any:  # noqa: ANN401 - PySyft is untyped
    """Return PySyft's reference to a request of this hospital."""
    for ref in _refs(client, owner=True):
        if f"{ref.ds_email}/{ref.job_name}" == job:
            return ref
    raise UsageError(f"There is no request {job} here.", next_step="See 'securefl site inbox'.")


def _refs(client: Any, *, owner: bool) -> Iterator[Any]:  # noqa: ANN401 - PySyft is untyped
    """Requests in the local tree.

    PySyft takes sender and name from the folders, which the guard has bound to the sender.
    """
    manager = client.job_client.manager
    me = client.email
    sites = [me]
    if not owner:
        folders = client.syftbox_folder.iterdir()
        sites = sorted(p.name for p in folders if p.is_dir() and "@" in p.name)
    for site in sites:
        for ref in manager.iter_submission_refs(site):
            if owner or ref.ds_email == me:
                yield ref


def _state(client: Any, ref: Any) -> Any:  # noqa: ANN401 - PySyft is untyped
    """Return PySyft's state of a request; None where there is none that can be read."""
    try:
        return client.job_client.manager.read_state(ref)
    except Exception:  # noqa: BLE001 - none yet, or torn by a killed process: PySyft writes it in place
        return None


def _write_state(client: Any, ref: Any, status: str, reason: str) -> None:  # noqa: ANN401 - PySyft is untyped
    """Write PySyft's state of a request, with the fields that it keeps for this status."""
    now = datetime.now(UTC)
    old = _state(client, ref) or JobState(received_at=now)
    change: dict[str, object] = {"status": JobStatus(status), "review_reason": reason or None}
    if status == "approved":
        change |= {"approved_by": client.email, "approved_at": now, "approval_method": "manual"}
    elif status == "rejected":
        change |= {"rejected_by": client.email, "rejected_at": now}
    elif status == "pending":
        change |= {
            "approved_by": None,
            "approved_at": None,
            "approval_method": None,
            "completed_at": None,
            "return_code": None,
        }
    elif status in FINAL:
        change |= {"completed_at": now, "return_code": 0 if status == "done" else 1}
    client.job_client.manager.write_state(ref, old.model_copy(update=change))


def _texts(folder: Path, most: int, size: int) -> dict[str, bytes]:
    """Read the files below a folder, within caps; links and permission files are left out."""
    if not folder.is_dir():
        return {}
    paths = [
        p
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not p.is_symlink() and p.name != PERMISSION_FILE_NAME
    ]
    if len(paths) > most or any(p.stat().st_size > size for p in paths):
        raise UnreadableError(
            f"{folder} holds more than {most} files, or one longer than {size} bytes.",
            whose="the sender",
            next_step="Refuse the request.",
        )
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths}
