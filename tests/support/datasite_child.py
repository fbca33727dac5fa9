"""One party's step in a process of its own: ``python datasite_child.py ROOT NAME ROLE STEP
[ARGUMENT...]``; prints JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from datasite_parties import DESCRIPTION, FILES, MOCK, Parties

from securefl.datasite.address import site_email


def act(site, step, *arguments):  # noqa: C901 - a list of steps
    if step == "publish":
        site.publish_dataset("thyroid", MOCK, DESCRIPTION, "thyroid records")
    elif step == "ask":
        for name in arguments:
            site.request_peer(site_email(name))
    elif step == "approve-peer":
        site.approve_peer(site_email(arguments[0]))
    elif step == "submit":
        for name in arguments:
            site.submit(site_email(name), "st", FILES)
    elif step == "decide":
        job, status, reason = arguments
        site.set_status(job, status, reason)
    elif step == "output":
        job, text = arguments
        site.put_output(job, "audit.json", text)
    elif step == "loop":
        for _ in range(int(arguments[0])):
            site.sync()
    site.sync()
    return {
        "peers": {p.email: p.state for p in site.peers()},
        "datasets": {d.owner: [d.mock.read_text(), d.statement.decode()] for d in site.datasets()},
        "requests": {
            r.hospital: [
                r.status,
                r.note,
                r.files["study.toml"].decode(),
                {n: o.decode() for n, o in r.outputs.items()},
            ]
            for r in site.requests()
        },
    }


def main():
    root, name, role, *step = sys.argv[1:]
    with Parties(Path(root)).open(name, role) as site:
        print(json.dumps(act(site, *step)))  # noqa: T201 - read by the test


if __name__ == "__main__":
    main()
