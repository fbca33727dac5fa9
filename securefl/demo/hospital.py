"""Layout of one hospital's records: ``python -m securefl.demo.hospital DIR SITE SEED [PROTOCOL]``.

A process of its own for each hospital, so that no process touches the private folders of two.
"""

from __future__ import annotations

import sys
from pathlib import Path

from securefl.demo.protocols import demonstration
from securefl.demo.thyroid import demo_secret
from securefl.errors import SecureFLError
from securefl.files import replace_file


def table_of(folder: Path, table: str) -> Path:
    """Where a hospital's records lie, below its folder."""
    return folder / "private" / f"{table}.csv"


def lay_out(
    folder: Path,
    site: str,
    seed: int,
    protocol: str = "thyroid",
) -> None:
    """Write the hospital's table and its secret.

    ``--seed`` fixes the secret, so that the held-out split can be repeated.

    Raises:
        DataError: the table is not here.
    """
    demo = demonstration(protocol)
    replace_file(table_of(folder, demo.table), demo.tables()[site])
    replace_file(folder / "keys" / "site.secret", demo_secret(seed, site))


if __name__ == "__main__":
    place, name, number, *wanted = sys.argv[1:]
    try:
        lay_out(Path(place), name, int(number), *wanted)
    except SecureFLError as error:
        sys.exit(f"{error.what} {error.next_step}")
