"""Hardened systemd units for the processes that run for months.

A unit is text that a person reads and root installs: nothing here writes below ``/etc``. Each line
of hardening stands with its reason in :data:`_ALWAYS`, :data:`_WORKER` and :data:`_NO_WORKER`;
``docs/operation.md`` repeats what is left out on purpose.

A path or a name that systemd would read as more than a word (blanks, ``%``, ``$``, quotes, line
ends) is refused instead of escaped: a unit is run by root.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from securefl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.party.folder import PartyFolder

#: Signs beside letters and digits that a word of a unit may hold.
_SIGNS: Final = frozenset("._/@+,:=-")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
#: Folders that each service has its own of, so that what lies there is not seen by it.
_HIDDEN: Final = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - refused, not used
#: Folders that belong to people.
_HOMES: Final = (Path("/home"), Path("/root"), Path("/run/user"))
#: Codes after which another start changes nothing: a person has to mend something first.
_FINAL: Final[tuple[ExitCode, ...]] = (
    ExitCode.USAGE,
    ExitCode.LEDGER_ALTERED,
    ExitCode.UNREADABLE,
    ExitCode.UNTRUSTED,
)
#: The same for a run: its study is over, or cannot begin.
_FINAL_RUN: Final = (
    *_FINAL,
    ExitCode.INVALID,
    ExitCode.NOT_APPROVED,
    ExitCode.BUDGET,
    ExitCode.ROUND_FAILED,
    ExitCode.DATA,
    ExitCode.SCREEN,
)
#: Stopped with Ctrl-C or SIGTERM.
_STOPPED: Final = 130

#: Hardening that costs no role anything. Of the privileged calls ``chown`` stays: what is made in a
#: shared folder takes its group. Landlock and seccomp let a process give up more than it has to.
_ALWAYS: Final = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
LockPersonality=yes
RestrictRealtime=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallFilter=@chown landlock_create_ruleset landlock_add_rule landlock_restrict_self seccomp
UMask=0077
LimitCORE=0
LimitNOFILE=65536
"""
#: A worker makes itself a user, a network and an IPC namespace, and loses its network by it
#: (``node/isolation.py``): those three kinds stay allowed, all others not.
_WORKER: Final = "RestrictNamespaces=user net ipc\n"
#: A role without a worker needs no namespace.
_NO_WORKER: Final = "RestrictNamespaces=yes\n"
#: For the role that never imports PyTorch. PyTorch's oneDNN writes machine code as it runs: under
#: this line a convolution ends with "could not create a primitive".
_NO_TORCH: Final = "MemoryDenyWriteExecute=yes\n"
#: A store that is a folder needs no network, and the process gets none. What is made there takes
#: the store's rights, set-group-ID among them, so ``RestrictSUIDSGID`` is left out.
_FOLDER_STORE: Final = """\
PrivateNetwork=yes
IPAddressDeny=any
RestrictAddressFamilies=AF_UNIX
"""
_SERVER_STORE: Final = """\
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictSUIDSGID=yes
"""


@dataclass(frozen=True)
class Service:
    """One process that systemd keeps running.

    Attributes:
        name: of the unit, without ``.service``.
        title: for ``systemctl status``.
        user: who it runs as; nobody else's.
        folder: the party's, which it writes.
        store: folder or URL.
        command: words after the program.
        worker: it starts workers on private tables.
        run: it ends by itself, as a study does.
    """

    name: str
    title: str
    user: str
    folder: Path
    store: str
    command: tuple[str, ...]
    worker: bool = False
    run: bool = False

    @property
    def torch(self) -> bool:
        """True where it, or a worker of its own, computes with PyTorch."""
        return self.worker or self.run

    @property
    def store_folder(self) -> Path | None:
        """The store's folder, None where it is a URL."""
        if "://" in self.store:
            return None
        return Path(self.store)

    @property
    def program(self) -> tuple[str, ...]:
        """This installation's own Python, which reads no environment and no user's packages."""
        return (sys.executable, "-I", "-m", "securefl")


def agent_service(party: PartyFolder, user: str | None = None) -> Service:
    """Service of a hospital's agent.

    Raises:
        UsageError: a name or path cannot stand in a unit.
    """
    return _checked(
        Service(
            f"securefl-agent-{party.name}",
            f"securefl agent of {party.name}",
            user or usual_user(party.name),
            party.path,
            party.settings.store,
            ("site", "start", "--site", str(party.path)),
            worker=True,
        )
    )


def aggregator_service(party: PartyFolder, user: str | None = None) -> Service:
    """Service of an aggregator. Raises as :func:`agent_service`."""
    return _checked(
        Service(
            f"securefl-aggregator-{party.name}",
            f"securefl aggregator {party.name}",
            user or usual_user(party.name),
            party.path,
            party.settings.store,
            ("aggregator", "start", "--aggregator", str(party.path)),
        )
    )


def run_service(
    party: PartyFolder,
    study: str,
    seconds: float,
    user: str | None = None,
) -> Service:
    """Service of one study's run, which ends with the study. Raises as :func:`agent_service`."""
    return _checked(
        Service(
            f"securefl-run-{study}",
            f"securefl run of {study}",
            user or usual_user(party.name),
            party.path,
            party.settings.store,
            ("study", "run", study, "--wait", f"{seconds:g}", "--researcher", str(party.path)),
            run=True,
        )
    )


def usual_user(name: str) -> str:
    """Name of the system user of a party: one for each, so that none reads another's keys."""
    return f"securefl-{name.lower()}"[:32]


def _checked(service: Service) -> Service:
    if not _USER.fullmatch(service.user) or service.user == "root":
        raise UsageError(
            f"'{service.user}' cannot be the user of a service.",
            next_step=(
                "Give --user a system user of its own, never root: small letters, digits, '-' and"
                " '_', at most 32."
            ),
        )
    words = (service.name, *service.program, *service.command, service.store)
    for word in words:
        bad = next((sign for sign in word if not (sign.isalnum() or sign in _SIGNS)), None)
        if bad is not None:
            raise UsageError(
                f"{word!r} cannot stand in a unit: {bad!r} means something else there.",
                next_step="Move it to a path of letters, digits and ._/@+,:=- alone.",
            )
    for path in _paths(service):
        for hidden in _HIDDEN:
            if path.is_relative_to(hidden):
                raise UsageError(
                    f"{path} lies in {hidden}, of which a service has one of its own.",
                    next_step="Move it, for example to /var/lib/securefl.",
                )
    return service


def _paths(service: Service) -> Sequence[Path]:
    """Folders that the service must see."""
    folders = [service.folder, Path(sys.prefix), Path(sys.base_prefix)]
    if service.store_folder is not None:
        folders.append(service.store_folder)
    return folders


def unit_text(service: Service) -> str:
    """The unit, as it lies in ``/etc/systemd/system``."""
    return "\n".join([*_unit_section(service), *_service_section(service), *_INSTALL, ""])


_INSTALL: Final = ("[Install]", "WantedBy=multi-user.target")


def _unit_section(service: Service) -> list[str]:
    lines = [
        "# Made by securefl. Changes belong into a drop-in: systemctl edit",
        "[Unit]",
        f"Description={service.title}",
        # a share that is mounted an hour late is waited for
        "StartLimitIntervalSec=0",
    ]
    needed = [str(service.folder)]
    if service.store_folder is None:
        lines += ["Wants=network-online.target", "After=network-online.target"]
    else:
        needed.append(str(service.store_folder))
    lines.append(f"RequiresMountsFor={' '.join(needed)}")
    return [*lines, ""]


def _service_section(service: Service) -> list[str]:
    final: tuple[ExitCode, ...] = _FINAL
    if service.run:
        final = _FINAL_RUN
    codes = " ".join(str(int(code)) for code in (*final, _STOPPED))
    lines = [
        "[Service]",
        "Type=exec",
        f"User={service.user}",
        f"ExecStart={' '.join((*service.program, *service.command))}",
        f"EnvironmentFile=-/etc/securefl/{service.name}.env",
        "Environment=PYTHONUNBUFFERED=1",
        "Restart=on-failure",
        "RestartSec=30",
        f"RestartPreventExitStatus={codes}",
        # a worker that runs out of memory ends its study, not the agent
        "OOMPolicy=continue",
        "KillMode=mixed",
        "TimeoutStopSec=120",
        "StandardOutput=journal",
        "StandardError=journal",
        f"SyslogIdentifier={service.name}",
    ]
    if service.run:
        # the study was completed, and its own quality rule is not met: no fault of the process
        lines.append(f"SuccessExitStatus={int(ExitCode.QUALITY)} {_STOPPED}")
    return [*lines, *_hardening(service), ""]


def _hardening(service: Service) -> list[str]:
    text = _ALWAYS
    if service.worker:
        text += _WORKER
    else:
        text += _NO_WORKER
    if not service.torch:
        text += _NO_TORCH
    written = [str(service.folder)]
    if service.store_folder is None:
        text += _SERVER_STORE
    else:
        text += _FOLDER_STORE
        written.append(str(service.store_folder))
    # what lies in somebody's home is hidden, unless this service itself was put there
    homes = "yes"
    if any(path.is_relative_to(home) for path in _paths(service) for home in _HOMES):
        homes = "read-only"
    return [
        *text.splitlines(),
        f"ProtectHome={homes}",
        f"ReadWritePaths={' '.join(written)}",
    ]


def user_text(service: Service) -> str:
    """The system user, as ``systemd-sysusers`` takes it (sysusers.d(5))."""
    return f'u {service.user} - "{service.title}" {service.folder}\n'


def steps(service: Service, folder: Path) -> tuple[str, ...]:
    """Commands for whoever is root on this machine, in their order."""
    unit = f"{service.name}.service"
    return (
        f"install -m 644 {folder / unit} /etc/systemd/system/{unit}",
        f"systemd-sysusers {folder / service.name}.conf",
        f"chown -R {service.user}: {service.folder}",
        "systemctl daemon-reload",
        f"systemctl enable --now {service.name}",
    )
