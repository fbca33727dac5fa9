"""The page of the secure-aggregation benchmark, from ``results.json``: measured figures only.

``python page.py`` writes it again.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

_WIDTH, _LEFT, _BAR, _GAP = 760, 250, 22, 12
_COLOURS = {"securefl": "#1b6ca8", "other": "#9aa5ad"}


def write_page(folder: Path, results: dict[str, Any]) -> None:
    """``README.md`` and ``rounds.svg`` in ``folder``."""
    (folder / "rounds.svg").write_text(picture(results))
    (folder / "README.md").write_text(page(results))


def largest(results: dict[str, Any]) -> list[dict[str, Any]]:
    """The rounds at the largest size."""
    size = max(r["parameters"] for r in results["rounds"])
    return [r for r in results["rounds"] if r["parameters"] == size]


def page(results: dict[str, Any]) -> str:
    """The page's text."""
    machine, clients = results["machine"], results["clients"]
    quiet = max(
        r["load_before"] for r in (*results["rounds"], *results["stages"], *results["schemes"])
    )
    lines = [
        "# Secure aggregation, measured",
        "",
        (
            "Made by `make bench` (`benchmarks/secagg/run.py`); every figure is from one run."
            " Nothing here is a promise: run it on your machine."
        ),
        "",
        (
            f"Date {machine['date']}. {machine['cpu']}, {machine['cores']} cores,"
            f" {machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']},"
            f" TenSEAL {machine['tenseal']}. {clients} clients. The one-minute load before a"
            f" measurement was at most {quiet} (the benchmark's own processes included)."
        ),
        "",
        "## Rounds, side by side",
        "",
        "![Seconds and bytes a round](rounds.svg)",
        "",
        (
            "| | parameters | warm round, s | fastest to slowest, s | upload, bytes a parameter |"
            " largest error of the mean | largest process, MB |"
        ),
        "|---|---|---|---|---|---|---|",
        *(
            f"| {r['what']} ({r['version']}) | {r['parameters']:,} | {r['warm_round_seconds']:.3g}"
            f" | {min(r['round_seconds']):.3g} to {max(r['round_seconds']):.3g} |"
            f" {r['upload_bytes_per_parameter']:.2f} | {r['max_abs_error_of_mean']:.1e} |"
            f" {r['peak_rss_mb']:.0f} |"
            for r in results["rounds"]
        ),
        "",
        (
            "All were given the same float32 vectors, uniform in ±0.05. Warm: the median without"
            " the first round."
        ),
        "",
        "What is in a round, and what is not:",
        (
            "- **securefl**: real processes (hospitals, aggregator, coordinator) over a folder"
            " store; model sealed to each hospital, 16-bit integers, CKKS, masks, signatures,"
            " hashes, every check, the sum recomputed by the coordinator. No training. The integer"
            " sum is exact; the error is the rounding to 16 bits. In a study every hospital also"
            " verifies the total of a round before it answers the next, which no peer offers: with"
            " it a round takes "
            + ", ".join(
                f"{r['verified_round_seconds']:.3g} s at {r['parameters']:,} parameters"
                for r in results["rounds"]
                if "verified_round_seconds" in r
            )
            + " on this machine, where all five share the cores."
        ),
        (
            "- **NVIDIA FLARE**: only the components of its homomorphic encryption, in order, with"
            " its default context and its serialiser as the wire; two processes share the clients'"
            " work. Its server, connections and storage are left out, so a deployment takes longer."
            " The model is one layer (its context travels with every layer). Every client holds the"
            " one secret key."
        ),
        (
            "- **Flower**: whole rounds in its simulation engine (Ray), which hands"
            " messages over in memory: no network, no serialisation, no store; bytes are those of"
            " the protobuf messages. FedAvg in the clear, and the whole SecAgg+ workflow: defaults, with 1000 examples a client, where its average is"
            " best. Its masks are expanded from 32 bits of each seed by numpy's Mersenne Twister"
            " (`pseudo_rand_gen` in `secaggplus_utils.py`); securefl's by AES-256. Clients' keys"
            " are not signed. The server sees the average in the clear; securefl's aggregator does"
            " not."
        ),
        "",
        "## A round against bare calls",
        "",
        (
            "The same ciphertexts, elements and masks by bare calls of TenSEAL, AES and numpy on"
            " two cores, in the same run (`securefl/bench/bare.py`): nothing packed, signed,"
            " hashed, checked, stored or waited for."
        ),
        "",
        "| parameters | round, s | bare, s | ratio | processor time of a round, s | bare, s |",
        "|---|---|---|---|---|---|",
        *(
            f"| {r['parameters']:,} | {r['warm_round_seconds']:.3g} | {r['bare_seconds']:.3g} |"
            f" {r['ratio']:.2f} | {r['processor_seconds']:.3g} | {r['bare_processor_seconds']:.3g} |"
            for r in results["rounds"]
            if "ratio" in r
        ),
        "",
        "## Goals",
        "",
        "| what | goal | measured |",
        "|---|---|---|",
        *(f"| {what} | {goal} | {found} |" for what, goal, found in goals(results)),
        "",
        "## Bytes and stages, by bits",
        "",
        (
            f"`securefl bench secagg`, {results['stages'][0]['parameters']:,} parameters; whole"
            " frame on the wire. Seconds are one site's for encrypt (masks with it) and check, the round's"
            " for sum and open."
        ),
        "",
        (
            "| bits | bytes a parameter | plaintext of the same bits | encrypt | check | sum"
            " | open | exact |"
        ),
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {s['bits']} | {s['bytes_per_parameter']:.2f} | {s['plaintext_bytes_same_bits']:.2f}"
            f" | {s['encrypt_seconds']:.3f} | {s['check_seconds']:.3f} | {s['sum_seconds']:.3f} |"
            f" {s['decrypt_seconds']:.3f} | {'yes' if s['exact'] else 'NO'} |"
            for s in results["stages"]
        ),
        "",
        (
            "An 8-bit encrypted update is smaller than a float32 one in the clear (4 bytes), and"
            " larger than an 8-bit one in the clear (1 byte)."
        ),
        "",
        "## BFV beside CKKS",
        "",
        (
            "`bfv.py`: processor seconds, one client's for pack, encrypt, write and read, the"
            " round's for add and decrypt; no masks, no frames."
        ),
        "",
        (
            "| scheme | bits | fields | bytes a parameter | pack | encrypt | write | read | add |"
            " decrypt | exact |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {s['scheme']} | {b['bits']} | {s['fields']} | {s['bytes_per_parameter']:.2f} | "
            + " | ".join(
                f"{s[f'{stage}_cpu_seconds']:.3f}"
                for stage in ("pack", "encrypt", "write", "read", "add", "decrypt")
            )
            + f" | {'yes' if s['exact'] else 'NO'} |"
            for b in results["schemes"]
            for s in b["schemes"]
        ),
        "",
        (
            "Why CKKS keys and ciphertexts all the same:"
            " [docs/decisions/0011](../../docs/decisions/0011-ckks-with-integer-coefficients.md)."
        ),
        "",
    ]
    return "\n".join(lines)


def goals(results: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Each goal of the secure sum, and what this run reached: (what, goal, measured)."""
    own, *peers = largest(results)
    small = min(results["rounds"], key=lambda r: r["parameters"])
    tenfold, seconds = results["tenfold"], own["warm_round_seconds"]
    bits = {s["bits"]: s["bytes_per_parameter"] for s in results["stages"]}

    def against(name: str) -> float:
        peer = next(r for r in peers if r["what"].startswith(name))
        return float(seconds / peer["warm_round_seconds"])

    size = f"{own['parameters']:,} parameters"
    upload = small["upload_bytes_per_parameter"] * small["parameters"]
    return [
        (f"round of {size} to Flower's SecAgg+", "0.55", f"{against('Flower SecAgg+'):.2f}"),
        (
            f"round of {size} to Flower's FedAvg in the clear",
            "1",
            f"{against('Flower FedAvg'):.2f}",
        ),
        (f"round of {size} to FLARE's components", "0.12", f"{against('NVIDIA'):.3f}"),
        (f"round of {size} to the bare calls", "1.6", f"{own['ratio']:.2f}"),
        (
            "round of ten times as many parameters to one",
            "10.5",
            f"{tenfold['warm_round_seconds'] / seconds:.1f}",
        ),
        (
            f"round of {small['parameters']} parameters, s",
            "0.03",
            f"{small['warm_round_seconds']:.3f}",
        ),
        (f"a contribution of {small['parameters']} parameters, kB", "75", f"{upload / 1000:.1f}"),
        (f"largest process at {size}, MB", "100", f"{own['peak_rss_mb']:.0f}"),
        (
            "bytes a parameter at 16, 8 and 6 bits",
            "2.90, 1.61, 1.35",
            ", ".join(f"{bits[b]:.2f}" for b in (16, 8, 6)),
        ),
    ]


def picture(results: dict[str, Any]) -> str:
    """Two rows of bars at the largest size: seconds a round, bytes a parameter."""
    rows = largest(results)
    parts: list[str] = []
    top = 10
    for title, key, unit in (
        ("Warm round, seconds", "warm_round_seconds", "s"),
        ("Upload, bytes a parameter", "upload_bytes_per_parameter", "B"),
    ):
        parts.append(
            f'<text x="0" y="{top + 14}" font-weight="bold">{title}, {rows[0]["parameters"]:,}'
            " parameters</text>"
        )
        top += 26
        most = max(r[key] for r in rows)
        for row in rows:
            name = row["what"].split(",")[0]
            note = " (components only)" if "components" in row["what"] else ""
            width = max(1.0, (_WIDTH - _LEFT - 90) * row[key] / most)
            colour = _COLOURS.get(name, _COLOURS["other"])
            parts.append(
                f'<text x="{_LEFT - 8}" y="{top + 16}"'
                f' text-anchor="end">{escape(name + note)}</text>'
            )
            parts.append(
                f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>'
            )
            parts.append(
                f'<text x="{_LEFT + width + 6:.1f}" y="{top + 16}">{row[key]:.3g} {unit}</text>'
            )
            top += _BAR + _GAP
        top += 14
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}"'
        f' height="{top}" role="img" font-family="sans-serif" font-size="14"'
        f' fill="#222">\n<title>Seconds and bytes of one round</title>\n<rect width="{_WIDTH}"'
        f' height="{top}" fill="#fff"/>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    write_page(here, json.loads((here / "results.json").read_text()))
