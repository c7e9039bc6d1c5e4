"""What rtspsrc is told while it speaks with a camera."""

from __future__ import annotations

from typing import Any

from savant_reid.hosts.local import gst


class FirstVideo:
    """Sound, metadata and further videos of a camera are not asked for."""

    def __init__(self) -> None:
        self._number: int | None = None

    def wants(self, _source: Any, number: int, caps: Any) -> bool:
        """A handler of rtspsrc's select-stream."""
        if self._number is None and caps.get_structure(0)["media"] == "video":
            self._number = number
        return number == self._number


class OneLogin:
    """Makes a wrong password cost one attempt. GStreamer would send it eight times over, and cameras lock accounts.

    A request is sent once without a password (or with what was answered to an earlier one) and once with it. Once the
    stream plays, the password is right, and GStreamer may renew what has become stale.
    """

    def __init__(self, user: str) -> None:
        self._user = user
        self._method: Any = None
        self._plays = False

    def sending(self, source: Any, message: Any) -> bool:
        """A handler of rtspsrc's before-send. Without a user it takes the next refusal for an answer."""
        _, method, _, _ = message.parse_request()
        again, self._method = method == self._method, method
        self._plays = self._plays or method == gst.rtsp_bindings().RTSPMethod.PLAY
        source.set_property("user-id", None if again and not self._plays else self._user)
        return True
