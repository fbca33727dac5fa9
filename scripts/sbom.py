"""List every package that securefl runs on, as CycloneDX 1.6 (ECMA-424) in JSON.

Names and versions are those of ``requirements.lock``; licences and dependencies are what the
installed packages say of themselves. Nothing in it varies by machine or time: the same lock gives
the same file. With ``--wheels`` each package has the SHA-256 of its wheel. Run by ``make sbom``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import uuid
from importlib import metadata
from pathlib import Path
from typing import Any

import build_wheel
from lock import read_lock
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


def bill(lock: str, when: str, wheels: Path | None = None) -> dict[str, Any]:
    """The whole bill of materials.

    Args:
        lock: text of requirements.lock.
        when: UTC in ISO 8601.
        wheels: the folder of a bundle.
    """
    pins = {
        _plain(name.partition("[")[0]): version for name, (version, _) in read_lock(lock).items()
    }
    hashes = _hashes(wheels)
    mine = metadata.version("securefl")
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, hashlib.sha256(lock.encode()).hexdigest())}",
        "version": 1,
        "metadata": {
            "timestamp": when,
            "component": {
                "type": "application",
                "bom-ref": _purl("securefl", mine),
                "name": "securefl",
                "version": mine,
                "purl": _purl("securefl", mine),
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": [_component(name, pins[name], hashes) for name in sorted(pins)],
        "dependencies": [
            _needs(name, version, pins, _extras(lock, name))
            for name, version in (("securefl", mine), *sorted(pins.items()))
        ],
    }


def _component(name: str, version: str, hashes: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": _purl(name, version),
        "name": name,
        "version": version,
        "purl": _purl(name, version),
    }
    if licences := _licences(name):
        found["licenses"] = licences
    if name in hashes:
        found["hashes"] = [{"alg": "SHA-256", "content": hashes[name]}]
    return found


def _licences(name: str) -> list[dict[str, Any]]:
    """An SPDX expression where the package has one, else its own words in one line."""
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return []
    expression = said.get("License-Expression")
    if expression:
        return [{"expression": expression}]
    classified = [
        c.rpartition(" :: ")[2]
        for c in said.get_all("Classifier") or ()
        if c.startswith("License ::")
    ]
    words = classified or [(said.get("License") or "").strip().partition("\n")[0][:100]]
    return [{"license": {"name": word}} for word in words if word]


def _needs(name: str, version: str, pins: dict[str, str], extras: set[str]) -> dict[str, Any]:
    """What a package asks for on this platform, as far as the lock has it."""
    try:
        asked = [Requirement(text) for text in metadata.requires(name) or ()]
    except metadata.PackageNotFoundError:
        asked = []
    names = {
        _plain(r.name)
        for r in asked
        if r.marker is None or any(r.marker.evaluate({"extra": extra}) for extra in extras)
    }
    return {
        "ref": _purl(name, version),
        "dependsOn": [_purl(other, pins[other]) for other in sorted(names & set(pins))],
    }


def _extras(lock: str, name: str) -> set[str]:
    """Extras of a package that somebody asks for, as the lock has them; the empty one stands for none."""
    found = {""}
    for entry in read_lock(lock):
        package, _, rest = entry.partition("[")
        if _plain(package) == name:
            found.update(extra for extra in rest.rstrip("]").split(",") if extra)
    return found


def _hashes(wheels: Path | None) -> dict[str, str]:
    if wheels is None:
        return {}
    return {
        _plain(wheel.name.split("-")[0]): hashlib.sha256(wheel.read_bytes()).hexdigest()
        for wheel in sorted(wheels.glob("*.whl"))
    }


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def dump(found: dict[str, Any]) -> str:
    """The file's text."""
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "securefl.cdx.json")
    parser.add_argument("--wheels", type=Path, help="the folder of a bundle's wheels")
    given = parser.parse_args()
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(dump(bill(lock, build_wheel.committed_time(), given.wheels)), "utf-8")
    print(given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
