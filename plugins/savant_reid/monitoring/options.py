"""Options of the command line for metrics and logs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from savant_reid.monitoring import logs
from savant_reid.monitoring.health import STALL_SECONDS
from savant_reid.option_groups import as_one, expect_partner

if TYPE_CHECKING:
    from savant_reid.monitoring.watch import MetricsRequest

Command = TypeVar("Command", bound=Callable[..., Any])


def _metrics(metrics_port: int | None, metrics_host: str, stall_seconds: float) -> MetricsRequest | None:
    """None without a port."""
    from savant_reid.monitoring.watch import MetricsRequest

    if metrics_port is None:
        expect_partner("--metrics-port", "--metrics-host", "--stall-seconds")
        return None
    return MetricsRequest(metrics_port, metrics_host, stall_seconds)


# Reach the command as `metrics`.
metrics_options = as_one(
    "metrics",
    _metrics,
    click.option(
        "--metrics-port", type=click.IntRange(0, 65535), help="Serve /metrics, /healthz and /readyz; 0: a free port."
    ),
    click.option("--metrics-host", default="127.0.0.1", show_default=True, help="Where they are served."),
    click.option(
        "--stall-seconds",
        default=STALL_SECONDS,
        show_default=True,
        type=click.FloatRange(0.1, 86_400),
        help="Without a batch for so long, /healthz says 503.",
    ),
)


def log_format_option(command: Command) -> Command:
    """--log-format, which takes effect by itself."""
    return click.option(
        "--log-format",
        type=click.Choice(logs.FORMATS),
        default=logs.TEXT,
        show_default=True,
        expose_value=False,
        is_eager=True,
        callback=lambda _context, _option, style: logs.configure(logging.getLogger().level, style),
        help="Log as text, or as one JSON object a line.",
    )(command)
