"""Who may watch: users and passwords, from a file or the environment, never from the command line."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from savant_reid.errors import ConfigError
from savant_reid.hosts.local import gst

VARIABLE = "SAVANT_REID_RTSP_LOGIN"
_REALM = "savant-reid"
_VIEWER = "viewer"


@dataclass(frozen=True)
class Login:
    user: str
    password: str = field(repr=False)


def read_logins(file: Path | None, environment: Mapping[str, str] = os.environ) -> tuple[Login, ...]:
    """Those of the file, else those of the variable SAVANT_REID_RTSP_LOGIN, else none.

    Either holds lines USER:PASSWORD; empty ones are passed over. Raises ConfigError, which repeats none of it.
    """
    if file is None:
        text = environment.get(VARIABLE)
        return () if text is None else _parse(text, f"environment variable {VARIABLE}")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: expected text in UTF-8, found other bytes at {error.start}") from None
    except OSError as error:
        raise ConfigError(f"{file}: expected lines USER:PASSWORD; cannot be read: {error.strerror}") from error
    return _parse(text, str(file))


def make_auth(logins: Sequence[Login], denied: Callable[[Any, bool], None]) -> Any:
    """GstRTSPAuth that lets these in (Digest or Basic, as the client chooses), or everybody where there are none.

    denied: told of each 401, with the client and whether it had sent a user and a password. Nobody may have packets
    sent to another address than their own: no token here has the permission transport.client-settings.
    """
    rtsp = gst.rtsp_server_bindings()
    token = rtsp.RTSPToken.new()
    token.set_string(rtsp.RTSP_TOKEN_MEDIA_FACTORY_ROLE, _VIEWER)
    if logins:
        return _auth_class()(logins, token, denied)
    auth = rtsp.RTSPAuth.new()
    auth.set_default_token(token)
    return auth


def viewers() -> Any:
    """GstRTSPPermissions for a factory: whoever was let in may watch."""
    gst_module = gst.bindings().Gst
    role = gst_module.Structure.new_empty(_VIEWER)
    for permission in ("media.factory.access", "media.factory.construct"):
        role.set_value(permission, True)
    permissions = gst.rtsp_server_bindings().RTSPPermissions.new()
    permissions.add_role_from_structure(role)
    return permissions


@functools.cache
def _auth_class() -> Any:
    """Made late, as its base is only known when GStreamer has been loaded."""
    rtsp, words = gst.rtsp_server_bindings(), gst.rtsp_bindings()
    base = rtsp.RTSPAuth

    class Auth(base):  # type: ignore[misc, valid-type]
        """Digest, and Basic by a second instance: Python's bindings cannot say "both" to one (an enum of flags)."""

        def __init__(self, logins: Sequence[Login], token: Any, denied: Callable[[Any, bool], None]) -> None:
            super().__init__()
            self._basic = base.new()
            self._denied = denied
            self.set_supported_methods(words.RTSPAuthMethod.DIGEST)
            for auth in (self, self._basic):
                auth.set_realm(_REALM)
            for login in logins:
                self.add_digest(login.user, login.password, token)
                self._basic.add_basic(base.make_basic(login.user, login.password), token)

        def do_check(self, context: Any, check: str) -> bool:
            # Before addresses are looked up: 404 and 401 would tell strangers what cameras are called.
            if check == rtsp.RTSP_AUTH_CHECK_URL and context.method != words.RTSPMethod.OPTIONS:
                self.do_authenticate(context)
                if context.token is None:
                    check = rtsp.RTSP_AUTH_CHECK_MEDIA_FACTORY_ACCESS  # which answers 401 to those without a token
            return bool(base.do_check(self, context, check))

        def do_authenticate(self, context: Any) -> bool:
            done = base.do_authenticate(self, context)
            return bool(done if context.token is not None else base.do_authenticate(self._basic, context))

        def do_generate_authenticate_header(self, context: Any) -> None:
            # Digest first: clients that know both take what comes first.
            for auth in (self, self._basic):
                base.do_generate_authenticate_header(auth, context)
            result, _ = context.request.get_header(words.RTSPHeaderField.AUTHORIZATION, 0)
            self._denied(context.client, result == words.RTSPResult.OK)

    return Auth


def _parse(text: str, where: str) -> tuple[Login, ...]:
    logins: dict[str, Login] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        user, separator, password = line.partition(":")
        if not separator or not user or not password:
            raise ConfigError(f"{where}: line {number}: expected USER:PASSWORD, found something else")
        if not user.isprintable() or not password.isprintable() or set(user) & set('"\\'):
            raise ConfigError(f'{where}: line {number}: expected printable signs, and none of \\ and " in the user')
        if user in logins:
            raise ConfigError(f"{where}: line {number}: expected another user; this one is there already")
        logins[user] = Login(user, password)
    if not logins:
        raise ConfigError(f"{where}: expected lines USER:PASSWORD, found none")
    return tuple(logins.values())
