"""``packaging/Containerfile`` and ``packaging/compose.yaml``, read line by line; the image itself,
where a builder is there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CONTAINERFILE = ROOT / "packaging" / "Containerfile"
COMPOSE = ROOT / "packaging" / "compose.yaml"


def instructions(text):
    """``(instruction, arguments)`` of a Containerfile, in order; comments left out."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [line.strip() for line in joined.splitlines()]
    words = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    return [(first, rest.strip()) for first, _, rest in words]


def image_faults(text):
    """Sentences on what is open in an image; none, where it is as it should be."""
    faults = []
    found = instructions(text)
    last = max(at for at, (word, _) in enumerate(found) if word == "FROM")
    users = [rest for word, rest in found[last:] if word == "USER"]
    if not users or re.match(r"(0|root)\b", users[-1]) or not users[-1][0].isdigit():
        faults.append("the last stage runs as root, or as a name")
    comments = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    bases = [rest for word, rest in found if word == "ARG" and rest.startswith("BASE=")]
    bases += [rest for word, rest in found if word == "FROM" and "${BASE}" not in rest]
    for base in bases:
        if "@sha256:" not in base and "no digest" not in comments:
            faults.append(f"{base}: neither a digest nor the reason why there is none")
        if base.endswith(":latest"):
            faults.append(f"{base}: no fixed version")
    for word, rest in found:
        if word == "ADD" or re.search(r"\b(curl|wget|apt-get|pip install)\b", rest):
            faults.append(f"{word} {rest}: fetches something")
        if re.search(r"(?i)(password|secret|token)\w*=", rest):
            faults.append(f"{word} {rest}: a secret in a layer")
    return faults


def service_faults(name, service, text):
    """Sentences on what is open in a service of the compose file."""
    faults = []
    if service.get("read_only") is not True:
        faults.append(f"{name}: its system can be written")
    if service.get("cap_drop") != ["ALL"] or "cap_add" in service:
        faults.append(f"{name}: keeps capabilities")
    if "no-new-privileges:true" not in service.get("security_opt", []):
        faults.append(f"{name}: can get privileges")
    if service.get("privileged") or str(service.get("user", "")).startswith(("0", "root")):
        faults.append(f"{name}: runs as root")
    if service.get("network_mode") != "none" or "ports" in service:
        faults.append(f"{name}: has a network")
    part = text.partition(f"\n  {name}:\n")[2]
    before = part.partition("network_mode:")[0].rstrip().splitlines()
    if not (before and before[-1].lstrip().startswith("#") and "URL" in before[-1]):
        faults.append(f"{name}: no comment beside its network says what a store by URL needs")
    # "${NAME:?what is missing}:/inside" has a variable without a default
    named = re.compile(r"\$\{\w+:\?[^}]+\}:/\w+")
    return faults + [
        f"{name}: {volume} is no folder that its operator names"
        for volume in service.get("volumes", [])
        if not named.fullmatch(volume)
    ]


def compose_faults(text):
    read = yaml.safe_load(text)
    found = [
        fault
        for name, service in read["services"].items()
        for fault in service_faults(name, service, text)
    ]
    # podman refuses a service's own users inside a pod; podman-compose makes a pod unless told not to
    if read["x-podman"] != {"in_pod": False}:
        found += [f"{name}: shares a pod's users" for name in read["services"]]
    return found


def test_the_image_runs_without_root_and_fetches_nothing():
    assert image_faults(CONTAINERFILE.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("USER 10001:10001\n", "", "as root"),
        ("USER 10001:10001", "USER root", "as root"),
        ("USER 10001:10001", "USER 0:0", "as root"),
        ("no digest", "nothing", "neither a digest"),
        ("RUN /bundle", "RUN pip install x && /bundle", "fetches"),
        ("TMPDIR=/tmp", "TMPDIR=/tmp API_TOKEN=x", "a secret"),
    ],
)
def test_an_image_that_is_open_is_noticed(old, new, fault):
    text = CONTAINERFILE.read_text("utf-8")
    assert old in text
    assert any(fault in found for found in image_faults(text.replace(old, new)))


def test_each_service_is_closed_and_says_what_a_store_by_url_needs():
    text = COMPOSE.read_text("utf-8")
    assert set(yaml.safe_load(text)["services"]) == {"agent", "aggregator"}
    assert compose_faults(text) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("in_pod: false", "in_pod: true", "pod"),
        ("read_only: true", "read_only: false", "can be written"),
        ("cap_drop: [ALL]", "cap_drop: [NET_RAW]", "capabilities"),
        ('"no-new-privileges:true"', "", "privileges"),
        ("network_mode: none", "network_mode: host", "has a network"),
        (":/party", ":/party:U", "no folder that its operator names"),
        ("for a URL", "", "what a store by URL needs"),
    ],
)
def test_a_service_that_is_open_is_noticed(old, new, fault):
    text = COMPOSE.read_text("utf-8")
    assert old in text
    found = [line for line in compose_faults(text.replace(old, new)) if fault in line]
    assert {line.partition(":")[0] for line in found} == {"agent", "aggregator"}


@pytest.mark.soak
def test_a_builder_builds_the_image_from_the_bundle():
    builder = shutil.which("podman") or shutil.which("buildah")
    bundles = [path for path in (ROOT / "dist").glob("securefl-*") if path.is_dir()]
    if not builder or not bundles:
        lacks = "no podman or buildah" if not builder else "no bundle in dist (`make bundle`)"
        reason = f"NOT TESTED, the image: {lacks} on this machine"
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)
    subprocess.run(
        [builder, "build", "-f", str(CONTAINERFILE), "-t", "securefl-test", str(bundles[0])],
        check=True,
        timeout=1800,
    )
