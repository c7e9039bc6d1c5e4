"""Options of the command line for serving over RTSP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from savant_reid.option_partners import expect_partner

if TYPE_CHECKING:
    from savant_reid.hosts.local.rtsp_server import RtspRequest

Command = TypeVar("Command", bound=Callable[..., Any])


def rtsp_options(command: Command) -> Command:
    """--serve-rtsp, --rtsp-port, --rtsp-host, --rtsp-login."""
    file, port = click.Path(path_type=Path), click.IntRange(1, 65535)
    for option in (
        click.option("--rtsp-login", type=file, help=_LOGIN),
        click.option("--rtsp-host", default="127.0.0.1", show_default=True, help="Address to serve at; 0.0.0.0: any."),
        click.option("--rtsp-port", default=8554, show_default=True, type=port),
        click.option("--serve-rtsp", is_flag=True, help=_SERVE),
    ):
        command = option(command)
    return command


def rtsp_request(serve: bool, port: int, host: str, login: Path | None) -> RtspRequest | None:
    """What the options ask for; None where nothing is to be served. Raises ConfigError for a bad login file."""
    from savant_reid.hosts.local.rtsp_login import read_logins
    from savant_reid.hosts.local.rtsp_server import RtspRequest

    if not serve:
        expect_partner("--serve-rtsp", "--rtsp-login", "--rtsp-host", "--rtsp-port")
        return None
    return RtspRequest(port, host, read_logins(login))


_SERVE = "Serve rtsp://HOST:PORT/CAMERA and /mosaic; files then play at their own pace."
_LOGIN = "File with a line USER:PASSWORD for each who may watch (or the variable SAVANT_REID_RTSP_LOGIN)."
