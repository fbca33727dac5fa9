"""Layout of one hospital's records: ``python -m securefl.demo.hospital DIR SITE SEED``.

A process of its own for each hospital, so that no process touches the private folders of two.
"""

from __future__ import annotations

import sys
from pathlib import Path

from securefl.demo.thyroid import demo_secret, site_tables
from securefl.files import replace_file

TABLE = "private/thyroid.csv"


def lay_out(folder: Path, site: str, seed: int) -> None:
    """Write the hospital's table and its secret.

    ``--seed`` fixes the secret, so that the held-out split can be repeated.
    """
    replace_file(folder / TABLE, site_tables()[site])
    replace_file(folder / "keys" / "site.secret", demo_secret(seed, site))


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
