"""Write the lock files again: exact versions, and the SHA-256 of every file that the index serves
for them.

``requirements.lock``       what securefl runs on; a study's digest covers this file.
``requirements-light.lock`` the part of it that a hospital without PySyft and PyTorch runs on.
``requirements-dev.lock``   what the demonstration, the extras and the tests need beside it.
``requirements-cpu.lock``   the build of torch without CUDA, which only some indexes have.
``requirements-cuda.lock``  what the index's own build of torch brings beside it, on Linux x86_64;
the CPU build brings none.

Versions stay as they are while they fit pyproject.toml. ``python scripts/lock.py --upgrade`` takes
the newest that do. Run by ``make lock``; needs uv (a development dependency) and an index.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Builds that the index does not serve under the same version: hashes by package and version (`pip
#: hash FILE`).
OTHER_BUILDS = {
    ("torch", "2.13.0"): (
        # torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl
        "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",
    ),
}
#: Packages that only builds of torch with CUDA bring.
_CUDA = re.compile(r"(nvidia-|cuda-|triton$)")
_HEADS = {
    "requirements.lock": "What securefl runs on: a study's digest covers this file.",
    "requirements-light.lock": "What securefl-light runs on: a part of requirements.lock.",
    "requirements-dev.lock": "What the demonstration and the tests need beside requirements.lock.",
    "requirements-cuda.lock": "What builds of torch with CUDA need beside requirements.lock.",
    "requirements-cpu.lock": (
        "The CPU build of torch, installed first where it is found; requirements.lock allows it"
        " too."
    ),
}
_HOW = (
    (
        "Resolved for CPython 3.11 on Linux x86_64; each line names every file that may be"
        " installed by its SHA-256."
    ),
    "Made by `make lock`; do not edit.",
)

Pins = dict[str, tuple[str, tuple[str, ...]]]


def read_lock(text: str) -> Pins:
    """Package name → its version and hashes."""
    found: Pins = {}
    for entry in re.sub(r"\\\n", " ", text).splitlines():
        if pin := re.match(r"([A-Za-z0-9._-]+(?:\[[a-z0-9, _-]+\])?)==([^\s;\\]+)", entry):
            hashes = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry))
            found[pin[1].lower().replace(" ", "")] = (pin[2], hashes)
        elif entry and not entry.startswith("#"):
            raise ValueError(f"not a pinned package: {entry[:100]}")
    return found


def write_lock(name: str, pins: Pins) -> None:
    """The file again, in order of names."""
    lines = [f"# {line}" for line in (_HEADS[name], *_HOW)]
    for package in sorted(pins):
        version, hashes = pins[package]
        lines.append(
            " \\\n    ".join(
                [f"{package}=={version}", *(f"--hash=sha256:{h}" for h in sorted(hashes))]
            )
        )
    (ROOT / name).write_text("\n".join(lines) + "\n", "utf-8")


def light_dependencies() -> list[str]:
    """Dependencies of the project without those that a light installation leaves out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    left_out = set(project["tool"]["securefl"]["light-without"])
    needed = project["project"]["dependencies"]
    return [line for line in needed if re.split(r"[<>=]", line)[0] not in left_out]


def resolve_light(needed: Pins) -> Pins:
    """The part of the whole lock that a light installation needs."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "light.in"
        source.write_text("\n".join(light_dependencies()) + "\n", "utf-8")
        found = resolve((), needed, upgrade=False, source=str(source))
    return {package: needed[package] for package in found}


def resolve(
    extras: tuple[str, ...], known: Pins, *, upgrade: bool, source: str = "pyproject.toml"
) -> Pins:
    """Every package that the project (or a list) with these extras needs, from the index alone."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.txt"
        if not upgrade:  # uv keeps the versions that it finds in its output file
            out.write_text("".join(f"{p}=={v}\n" for p, (v, _) in known.items()), "utf-8")
        command = [
            "uv",
            "pip",
            "compile",
            source,
            "--quiet",
            "--generate-hashes",
            "--no-header",
            "--no-annotate",
            "--no-strip-extras",
            "--python-version=3.11",
            "--python-platform=x86_64-manylinux_2_28",
            f"--output-file={out}",
            *(f"--extra={e}" for e in extras),
        ]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        found = read_lock(out.read_text("utf-8"))
    # pip takes `name[extra]` and `name` for two requirements, and with hashes each that somebody
    # asks for must be pinned
    return found | {name.partition("[")[0]: pin for name, pin in found.items()}


def main() -> int:
    """Write the files; 1 when a build's hash is not known here."""
    known: Pins = {}
    for name in _HEADS:
        if (ROOT / name).exists() and name != "requirements-cpu.lock":
            known |= read_lock((ROOT / name).read_text("utf-8"))
    upgrade = "--upgrade" in sys.argv[1:]
    # the extras first: what securefl runs on has to live with each of them
    everything = resolve(
        (
            "demo",
            "dev",
            "excel",
            "flower",
            "images",
            "mlflow",
            "onnx",
            "parquet",
            "s3",
            "sftp",
            "sklearn",
            "sql",
            "tensorboard",
            "webdav",
        ),
        known,
        upgrade=upgrade,
    )
    needed = resolve((), everything, upgrade=False)
    moved = {p for p in needed if everything[p] != needed[p]}
    if moved:
        print(f"the development extras change what securefl runs on: {', '.join(sorted(moved))}")
        return 1
    cuda = {p: pin for p, pin in needed.items() if _CUDA.match(p)}
    runtime = {p: pin for p, pin in needed.items() if p not in cuda}
    builds: Pins = {}
    for (package, version), hashes in OTHER_BUILDS.items():
        if version != runtime[package][0]:
            print(
                f"no CPU build of {package} {runtime[package][0]} is known: add its hash to"
                f" {Path(__file__).name}"
            )
            return 1
        runtime[package] = (version, tuple({*runtime[package][1], *hashes}))
        builds[package] = (f"{version}+cpu", hashes)
    write_lock("requirements.lock", runtime)
    write_lock("requirements-light.lock", resolve_light(runtime))
    write_lock("requirements-cpu.lock", builds)
    write_lock("requirements-cuda.lock", cuda)
    write_lock(
        "requirements-dev.lock", {p: pin for p, pin in everything.items() if p not in needed}
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
