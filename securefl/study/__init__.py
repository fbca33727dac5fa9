"""The contract: what a study file may say, its digest, and who approved it.

Pure: texts in, objects out.
"""

from securefl.doors import lazy_door

__getattr__ = lazy_door(
    __name__,
    {
        "Approval": "approval",
        "Protocol": "schema",
        "Study": "schema",
        "check_consistency": "consistency",
        "open_approval": "approval",
        "parse_protocol": "parse",
        "parse_study": "parse",
        "seal_study": "seal",
        "study_digest": "digest",
    },
)
