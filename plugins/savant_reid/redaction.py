"""Takes users and passwords out of whatever is shown or logged."""

from __future__ import annotations

import re

# Some cameras carry the password in the query or the path (user=admin_password=secret_channel=1).
_SECRET_VALUE = re.compile(r"((?:pass(?:word|wd)?|pwd|token|key|secret)=)[^&\s/\"']*", re.IGNORECASE)
# Up to the last @: a password may hold anything, even where it should have been percent-encoded.
_USER_INFO = re.compile(r"(?<=://)[^\s\"']*@")
_ALL_BEFORE_AT = re.compile(r"(?<=://).*@", re.DOTALL)


def redact(text: str) -> str:
    """The text with user names and passwords of URIs replaced by ***."""
    return _SECRET_VALUE.sub(r"\1***", _USER_INFO.sub("***@", text))


def redact_uri(uri: str) -> str:
    """The URI for messages: without user, password and query."""
    if "://" not in uri:
        return uri
    # Nothing but the URI is here, so that blanks and quotes in a password end nothing.
    shown, query, _ = redact(_ALL_BEFORE_AT.sub("***@", uri)).partition("?")
    return f"{shown}?..." if query else shown
