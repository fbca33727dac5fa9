"""PySyft's own client on a securefl store: what somebody who knows PySyft sees, through PySyft's
own interface.

    python examples/pysyft_client.py STORE FOLDER NAME

STORE is the consortium's store (an fsspec URL), FOLDER the researcher's PySyft folder, NAME the
researcher's site name. The hospitals must have approved this researcher as a peer. PySyft's
identities are e-mail addresses: NAME stands for NAME@securefl.invalid, and no mail is sent. Looking
is all there is to do here: a securefl study is requested, approved and run with securefl, and
approving its job in PySyft runs nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from securefl.boards.opening import open_board
from securefl.datasite.address import site_email
from securefl.datasite.client import pysyft_client


def main() -> None:
    """Print datasites, data sets with the first rows of their mock data, and jobs."""
    store, folder, name = sys.argv[1:]
    client, _ = pysyft_client(open_board(store), site_email(name), Path(folder), "researcher")
    client.sync()

    print("Datasites:")
    for peer in client.peers:
        print(f"  {peer.email}: {peer.state.value}")

    print("Data sets:")
    for dataset in client.datasets.get_all():
        mock = next(path for path in dataset.mock_files if path.suffix == ".csv")
        print(f"  {dataset.name} of {dataset.owner}: {dataset.summary}")
        print("    " + "\n    ".join(mock.read_text().splitlines()[:3]))

    print("Jobs:")
    for job in client.jobs:
        print(
            f"  {job.name} at {job.datasite_owner_email}: {job.status}. {job.review_reason or ''}"
        )


if __name__ == "__main__":
    main()
