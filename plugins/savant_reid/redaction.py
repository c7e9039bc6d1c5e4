"""Takes users and passwords out of whatever is shown or logged."""

from __future__ import annotations

import re

# Some cameras carry the password in the query or the path (user=admin_password=secret_channel=1).
_SECRET_VALUE = re.compile(r"((?:pass(?:word|wd)?|pwd|token|key|secret)=)[^&\s/\"']*", re.IGNORECASE)
# Up to the last @: a password may hold anything, even where it should have been percent-encoded. The form of an address
# that our own errors give (mqtt://[USER@]HOST) is no secret.
_USER_INFO = re.compile(r"(?<=://)(?!\[?USER@\]?HOST\b)[^\s\"']*@")
_ALL_BEFORE_AT = re.compile(r"(?<=://).*@", re.DOTALL)

_VARIABLE = re.compile(r"\$\{\w+\}")


def redact(text: str) -> str:
    """The text with user names and passwords of URIs replaced by ***."""
    return _SECRET_VALUE.sub(r"\1***", _USER_INFO.sub("***@", text))


def redact_all(text: str) -> str:
    """For texts that may hold addresses of several cameras, with whatever in their passwords: rather too much goes."""
    return redact(_ALL_BEFORE_AT.sub("***@", text))


def keep_no_secret(uri: str) -> str:
    """The address for a file that is handed round. Where user and password are in the environment, it can be used."""
    scheme, separator, rest = uri.partition("://")
    before, at, place = rest.rpartition("@")
    if separator and at and not _VARIABLE.sub("", before).strip(":"):
        return f"{scheme}://{before}@{redact_uri(f'{scheme}://{place}').partition('://')[2]}"
    return redact_uri(uri)


def redact_uri(uri: str) -> str:
    """The URI for messages: without user, password and query."""
    if "://" not in uri:
        return uri
    # Nothing but the URI is here, so that blanks and quotes in a password end nothing.
    shown, query, _ = redact(_ALL_BEFORE_AT.sub("***@", uri)).partition("?")
    return f"{shown}?..." if query else shown
