"""The privacy room: what a release costs, the noise that pays for it, and the ledger that refuses
overspending.
"""

from securefl.doors import lazy_door

__getattr__ = lazy_door(
    __name__,
    {
        "AuditReport": "audit",
        "Charge": "charges",
        "Checkpoint": "ledger",
        "Gaussian": "mechanisms",
        "IntegerGaussian": "noise",
        "Ledger": "ledger",
        "Mechanism": "mechanisms",
        "PldAccountant": "accounting",
        "RandomBytes": "randomness",
        "SubsampledGaussian": "mechanisms",
        "SystemRandomness": "randomness",
        "Terms": "charges",
        "audit": "audit",
        "extract": "audit",
        "choose_order": "planning",
        "largest_steps": "planning",
        "mechanism_from_json": "mechanisms",
        "gaussian_tail_multiplier": "noise",
        "noise_for_epsilon": "planning",
        "pld_epsilon": "accounting",
        "poisson_sample": "noise",
        "read_checkpoint": "ledger",
        "read_ledger": "ledger",
        "rdp_cap": "accounting",
        "rdp_cost": "accounting",
        "rdp_epsilon": "accounting",
        "smallest_noise": "planning",
        "study_epsilon": "planning",
    },
)
