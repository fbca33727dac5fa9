"""Estimate what the best known lattice attacks cost against the keys of the secure sum.

    python benchmarks/secagg/lattice/estimate.py PATH-TO-LATTICE-ESTIMATOR

It needs Sage, and a clone of https://github.com/malb/lattice-estimator (Albrecht, Player, Scott
2015); README.md beside it says how to get both. Parameters are read from securefl itself. It writes
``estimates.json``, which the tests compare with those constants and with the page
``docs/key-additive-sum.md``. About four minutes on one core; not part of any other target.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))

from securefl.secagg.cipher_ring import CIPHER_RINGS  # noqa: E402 - the path comes first
from securefl.secagg.gaussian import SIGMA  # noqa: E402
from securefl.secagg.number_ring import RINGS  # noqa: E402

#: Widths of key and error that an attacker meets, as a share of :data:`SIGMA`. ``alone``: one frame
#: and nothing else. ``pair``: of two honest hospitals the sums are known, and this is what is left.
#: ``reduced``: plain ring-LWE of this width is no harder than the pair's (the proof is on the page).
WIDTHS = {"alone": 1.0, "pair": 1 / math.sqrt(2), "reduced": 0.5}
#: Standard deviation of SEAL's errors: a centred binomial of 21 pairs of bits.
SEAL_SIGMA = math.sqrt(10.5)


def attacks(tools: ModuleType, parameters: object, cost_model: object) -> dict[str, float]:
    """Base-2 logarithm of the operations that each attack costs, rounded down to a tenth."""
    lwe = tools.LWE
    tried = {
        "usvp": lwe.primal_usvp,
        "bdd": lwe.primal_bdd,
        "dual_hybrid": lwe.dual_hybrid,
    }
    found = {}
    for name, attack in tried.items():
        cost = attack(parameters, red_cost_model=cost_model)
        found[name] = math.floor(10 * math.log2(float(cost["rop"]))) / 10
    return found


def estimate(
    tools: ModuleType, degree: int, modulus: int, secret: object, error: object
) -> dict[str, Any]:
    """All attacks in three cost models, with as many samples as an attack likes."""
    parameters = tools.LWE.Parameters(n=degree, q=modulus, Xs=secret, Xe=error)
    reduction = importlib.import_module("estimator.reduction")
    models = {
        "gates": reduction.MATZOV(),
        "core_svp": reduction.ADPS16(),
        "core_svp_quantum": reduction.ADPS16(mode="quantum"),
    }
    found: dict[str, Any] = {
        name: attacks(tools, parameters, model) for name, model in models.items()
    }
    found["least"] = {name: min(found[name].values()) for name in models}
    return found


def instances(tools: ModuleType) -> list[dict[str, Any]]:
    """Numbers' rings at every width, and the public-key ciphertexts of each ring."""
    found = []
    for primes, ring in enumerate(RINGS, start=1):
        modulus = math.prod(ring.primes)
        for width, share in WIDTHS.items():
            sigma = float(SIGMA) * share
            secret = tools.ND.DiscreteGaussian(sigma)
            found.append(
                {
                    "key": "numbers",
                    "primes": primes,
                    "degree": ring.degree,
                    "modulus": str(modulus),
                    "width": width,
                    "sigma": round(sigma, 4),
                    **estimate(tools, ring.degree, modulus, secret, secret),
                }
            )
    error = tools.ND.DiscreteGaussian(SEAL_SIGMA)
    for ciphers in CIPHER_RINGS:
        # The largest modulus under which a key or a ciphertext is shown.
        modulus = math.prod(ciphers.primes)
        found.append(
            {
                "key": "ciphertexts",
                "degree": ciphers.degree,
                "modulus": str(modulus),
                "sigma": round(SEAL_SIGMA, 4),
                **estimate(tools, ciphers.degree, modulus, tools.ND.Uniform(-1, 1), error),
            }
        )
    return found


def main() -> None:
    """Estimate, and write ``estimates.json``."""
    parser = argparse.ArgumentParser(description="Lattice estimates of the secure sum's keys.")
    parser.add_argument("estimator", type=Path, help="a clone of malb/lattice-estimator")
    place = parser.parse_args().estimator.resolve()
    if not (place / ".git").exists() or not (place / "estimator").is_dir():
        sys.exit(f"{place} is no clone of malb/lattice-estimator; README.md says how to get one.")
    sys.path.insert(0, str(place))
    tools = importlib.import_module("estimator")
    git = ["git", "-C", str(place)]
    changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, check=True)
    if changed.stdout.strip():
        sys.exit(f"{place} holds changes; estimates are made with the tool as it was published.")
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, check=True, text=True)
    began = time.process_time()
    figures = {
        "tool": "https://github.com/malb/lattice-estimator",
        "commit": commit.stdout.strip(),
        "sage": f"passagemath {version('passagemath-symbolics')}",
        "instances": instances(tools),
    }
    (HERE / "estimates.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(f"{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
