"""Mapping of sites' names to PySyft's identities, which are e-mail addresses.

No mail is ever sent to them. A site called ``SVI`` is ``SVI@securefl.invalid`` to PySyft. The
top-level domain ``.invalid`` is reserved so that such an address can never receive mail (RFC 2606,
section 2). People's real addresses stand on their identity cards, not here.
"""

from __future__ import annotations

import re

from securefl.errors import UsageError

DOMAIN = "securefl.invalid"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
#: What PySyft takes for an address in its own paths, without the characters that mean something in
#: a path or a pattern.
_EMAIL = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}@[A-Za-z0-9-]{1,60}(\.[A-Za-z0-9-]{1,60}){1,4}"
)


def site_email(name: str) -> str:
    """Return the address by which PySyft knows the site ``name``.

    Raises:
        UsageError: ``name`` is not a site name.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a site name.",
            next_step="Use letters, digits, '-' and '_', at most 40, starting with a letter.",
        )
    return f"{name}@{DOMAIN}"


def site_name(email: str) -> str:
    """Return the site behind an address of :func:`site_email`; another address is its own name."""
    name, _, domain = email.partition("@")
    if domain == DOMAIN and _NAME.fullmatch(name):
        return name
    return email


def is_email(text: str) -> bool:
    """True if ``text`` can stand as an identity in PySyft's folders and rules.

    One plain address, no wildcard, no path.
    """
    return len(text) <= 120 and ".." not in text and _EMAIL.fullmatch(text) is not None


def check_email(text: str) -> str:
    """Return ``text`` itself, if it can be a PySyft identity.

    Raises:
        UsageError: it cannot.
    """
    if not is_email(text):
        raise UsageError(
            f"{text!r} is not an address that PySyft can use.",
            next_step=f"Use the form name@{DOMAIN}.",
        )
    return text
