"""Options of the command line for serving over RTSP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from savant_reid.option_groups import as_one, expect_partner

if TYPE_CHECKING:
    from savant_reid.hosts.local.rtsp_server import RtspRequest


def _request(serve_rtsp: bool, rtsp_port: int, rtsp_host: str, rtsp_login: Path | None) -> RtspRequest | None:
    """None where nothing is to be served. Raises ConfigError for a bad login file."""
    from savant_reid.hosts.local.rtsp_login import read_logins
    from savant_reid.hosts.local.rtsp_server import RtspRequest

    if not serve_rtsp:
        expect_partner("--serve-rtsp", "--rtsp-login", "--rtsp-host", "--rtsp-port")
        return None
    return RtspRequest(rtsp_port, rtsp_host, read_logins(rtsp_login))


# Reach the command as `rtsp`.
rtsp_options = as_one(
    "rtsp",
    _request,
    click.option(
        "--serve-rtsp",
        is_flag=True,
        help="Serve rtsp://HOST:PORT/CAMERA and /mosaic; files then play at their own pace.",
    ),
    click.option("--rtsp-port", default=8554, show_default=True, type=click.IntRange(1, 65535)),
    click.option("--rtsp-host", default="127.0.0.1", show_default=True, help="Address to serve at; 0.0.0.0: any."),
    click.option(
        "--rtsp-login",
        type=click.Path(path_type=Path),
        help="File with a line USER:PASSWORD for each who may watch (or the variable SAVANT_REID_RTSP_LOGIN).",
    ),
)
