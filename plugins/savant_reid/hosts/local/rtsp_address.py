"""What the address of an RTSP camera says: where it is, who asks, and over what its pictures travel."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from savant_reid.errors import SourceError
from savant_reid.redaction import redact, redact_uri

# Scheme as written: the one for GStreamer, and the transport. TCP unless asked otherwise: it passes firewalls and
# loses nothing, and a person's box from a damaged picture costs more than some tens of milliseconds.
_SCHEMES = {
    "rtsp": ("rtsp", "tcp"),
    "rtspt": ("rtsp", "tcp"),
    "rtspu": ("rtsp", "udp"),
    "rtsps": ("rtsps", "tcp"),
}
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|(?:[\w.-]|\$\{[A-Za-z_]\w*\})+)"
_PLACE = re.compile(rf"({_HOST})(?::(?:\d{{1,5}}|\$\{{[A-Za-z_]\w*\}}))?")
_ENCODE = "write / as %2F, @ as %40, ? as %3F, # as %23, : as %3A and % as %25 in user and password, and @ as %40 after"
# What a site.yml in a run folder has in place of user and password.
_TAKEN_OUT = "***"
# A shorter password is in every other text by chance.
_LEAST_SCRUBBED = 4


@dataclass(frozen=True)
class RtspAddress:
    """uri: without user and password. transport: tcp or udp. shown: the address for messages, without any secret."""

    uri: str = field(repr=False)
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)
    transport: str
    shown: str

    def scrub(self, text: str) -> str:
        """A text of somebody else's, without what must not be shown."""
        if self.password and len(self.password) >= _LEAST_SCRUBBED:
            for secret in (self.password, quote(self.password, safe="")):
                text = text.replace(secret, _TAKEN_OUT)
        return redact(text.replace(self.uri, self.shown))


def is_rtsp(uri: str) -> bool:
    return uri.partition("://")[0].lower() in _SCHEMES


def parse_address(camera: str, text: str, environment: Mapping[str, str] = os.environ) -> RtspAddress:
    """rtsp[t|u|s]://[USER[:PASSWORD]@]HOST[:PORT][/PATH], with ${NAME} for variables of the environment.

    User and password are percent-encoded; what they hold unencoded is understood where it can mean one thing only.
    A variable's value is taken as it is. Raises SourceError, without secrets.
    """
    scheme, _, rest = text.partition("://")
    gst_scheme, transport = _SCHEMES[scheme.lower()]
    user_info, place = _split(camera, rest)
    if user_info == _TAKEN_OUT:
        raise SourceError(
            f"camera {camera!r}: expected user and password in {redact_uri(text)}, found them taken out, "
            "as in a run folder's site.yml; take the original"
        )
    user: str | None = None
    password: str | None = None
    if user_info:
        first, _, second = user_info.partition(":")
        user = _filled(camera, first, environment, encoded=True)
        password = _filled(camera, second, environment, encoded=True)  # rtspsrc uses no user without one
    uri = f"{gst_scheme}://{_filled(camera, place, environment, encoded=False)}"
    return RtspAddress(uri, user, password, transport, redact_uri(text))


def _split(camera: str, rest: str) -> tuple[str, str]:
    """(user and password, what comes after their @)."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user_info, at, host = authority.rpartition("@")
    place = _PLACE.fullmatch(host)
    later = [i for i in range(len(authority), len(rest)) if rest[i] == "@" and _begins_with_place(rest[i + 1 :])]
    # As the standard reads it, if nothing speaks for an unencoded password: no further @, nobody who could have a
    # password, or a host that looks like one.
    if place and (
        not later or ":" not in authority or "." in place[1] or place[1][0] == "[" or place[1] == "localhost"
    ):
        return user_info, rest[len(user_info) + len(at) :]
    if not place and len(later) == 1:
        return rest[: later[0]], rest[later[0] + 1 :]
    if later:
        raise SourceError(f"camera {camera!r}: its address can be read in more than one way; {_ENCODE}")
    raise SourceError(
        f"camera {camera!r}: expected rtsp://[user:password@]host[:port]/path, found another form; {_ENCODE}"
    )


def _begins_with_place(text: str) -> bool:
    return _PLACE.fullmatch(re.split(r"[/?#]", text, maxsplit=1)[0]) is not None


def _filled(camera: str, text: str, environment: Mapping[str, str], *, encoded: bool) -> str:
    """With variables put in, and what stands around them decoded where it is encoded."""
    parts = _VARIABLE.split(text)
    for i, part in enumerate(parts):
        if i % 2:
            if part not in environment:
                raise SourceError(f"camera {camera!r}: expected the variable {part} of its address, found it not set")
            parts[i] = environment[part]
        elif encoded:
            try:
                parts[i] = unquote(part, errors="strict")
            except UnicodeDecodeError:
                raise SourceError(
                    f"camera {camera!r}: expected user and password percent-encoded as UTF-8, found other bytes"
                ) from None
    return "".join(parts)
