"""How the commands of the command line tell of errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import click

from savant_reid.errors import SavantReidError
from savant_reid.monitoring import logs
from savant_reid.redaction import redact

log = logging.getLogger(__name__)


@contextmanager
def plain_errors(extras: str = "local") -> Iterator[None]:
    """Errors meant for the user are printed without a traceback; a missing package is named with its extras."""
    try:
        yield
    except SavantReidError as error:
        raise _told(redact(str(error))) from error
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("savant_reid", ""):
            raise
        raise _told(
            f"the package {package!r} is missing; install the local host with: pip install 'savant-reid[{extras}]'"
        ) from error


def _told(message: str) -> Exception:
    """What ends the command with status 1; said by click, or by us where all that is said must be JSON."""
    if not logs.is_json():
        return click.ClickException(message)
    log.error("%s", message)
    return click.exceptions.Exit(1)
