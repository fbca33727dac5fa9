"""Pages for people: facts in, words and tables out.

Nothing here reads a file, a clock or a private record.
"""

from securefl.doors import lazy_door

__getattr__ = lazy_door(
    __name__,
    {
        "audit_tables": "audit",
        "demo_table": "run",
        "error_panel": "errors",
        "extract_words": "audit",
        "outcome_page": "run",
        "plain_text": "parts",
        "request_id": "request",
        "request_page": "request",
        "round_line": "run",
        "shown": "parts",
        "site_status": "status",
        "study_page": "study",
        "study_words": "study",
    },
)
