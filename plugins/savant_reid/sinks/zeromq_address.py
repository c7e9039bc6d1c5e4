"""ZeroMQ's addresses as Savant writes them, sockets that are opened by them, and a send that tells of slow readers."""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Sequence
from typing import Any, NamedTuple

from savant_reid.errors import OutputError, SavantReidError

_ADDRESS = re.compile(
    r"(?:(?P<kind>[a-z]+)\+(?P<mode>bind|connect):)?(?P<endpoint>(?P<scheme>tcp|ipc)://(?P<place>.+))"
)
_HIGHEST_PORT = 65535


class Address(NamedTuple):
    """kind: pub, dealer or req. mode: bind or connect. endpoint: tcp://HOST:PORT or ipc://PATH."""

    kind: str
    mode: str
    endpoint: str

    def __str__(self) -> str:
        return f"{self.kind}+{self.mode}:{self.endpoint}"


def parse_address(text: str, kinds: Sequence[str]) -> Address:
    """`[KIND+bind:|KIND+connect:]tcp://HOST:PORT` or `ipc://PATH`; the first kind and bind are the defaults.

    Raises OutputError when it is not of that form.
    """
    found = _ADDRESS.fullmatch(text)
    if not found or found["kind"] not in (None, *kinds):
        forms = "|".join(f"{kind}+{mode}:" for kind in kinds for mode in ("bind", "connect"))
        raise OutputError(f"ZeroMQ address: expected [{forms}]tcp://HOST:PORT or ipc://PATH, found {text!r}")
    port = found["place"].rpartition(":")[2]
    # ZeroMQ itself takes 99999 for 34463.
    if found["scheme"] == "tcp" and port != "*" and not (port.isdecimal() and int(port) <= _HIGHEST_PORT):
        raise OutputError(f"ZeroMQ address: expected a port up to {_HIGHEST_PORT} at the end, found {text!r}")
    return Address(found["kind"] or kinds[0], found["mode"] or "bind", found["endpoint"])


def zeromq_bindings(extra: str) -> Any:
    """The module zmq. extra: that of this package which brings it. Raises SavantReidError where it is missing."""
    try:
        import zmq
    except ModuleNotFoundError as error:
        raise SavantReidError(
            f"ZeroMQ needs the package pyzmq, found none; install it with: pip install 'savant-reid[{extra}]'"
        ) from error
    return zmq


def open_socket(zmq: Any, opened: Any, address: Address) -> Address:
    """Binds or connects the socket `opened`; returns the address with the port that was found.

    Raises OutputError when that cannot be done.
    """
    # Else 127.0.0.1 would be bound, and shown, as an IPv6 address.
    opened.setsockopt(zmq.IPV6, int("[" in address.endpoint))
    try:
        if address.mode == "connect":
            opened.connect(address.endpoint)
            return address
        _check_free(address.endpoint)
        opened.bind(address.endpoint)
    except zmq.ZMQError as error:
        raise OutputError(f"ZeroMQ address {address.endpoint}: cannot be used: {error.strerror}") from error
    return address._replace(endpoint=opened.getsockopt_string(zmq.LAST_ENDPOINT))


def publish(zmq: Any, publisher: Any, parts: Sequence[bytes]) -> bool:
    """Sends on a PUB socket with XPUB_NODROP set, without waiting. False: a subscriber had no room, and has lost it.

    Plain PUB loses a message for those alone who have no room, but does not say so: XPUB_NODROP is how one learns of
    it, and then nobody has got the message.
    """
    try:
        publisher.send_multipart(parts, zmq.NOBLOCK)
        return True
    except zmq.Again:
        publisher.setsockopt(zmq.XPUB_NODROP, 0)
        publisher.send_multipart(parts, zmq.NOBLOCK)
        publisher.setsockopt(zmq.XPUB_NODROP, 1)
        return False


def _check_free(endpoint: str) -> None:
    """ZeroMQ removes whatever lies where it binds an ipc socket: a file of the user's, or a running server's socket."""
    scheme, _, path = endpoint.partition("://")
    if scheme != "ipc" or path.startswith("@") or not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise OutputError(f"ZeroMQ address {endpoint}: expected a free path or a socket, found another file")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return  # left behind by a program that is gone
    raise OutputError(f"ZeroMQ address {endpoint}: cannot be used: another program listens there")
