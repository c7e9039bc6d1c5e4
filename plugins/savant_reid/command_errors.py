"""How the commands of the command line tell of errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from savant_reid.errors import SavantReidError


@contextmanager
def plain_errors(extras: str = "local") -> Iterator[None]:
    """Errors meant for the user are printed without a traceback; a missing package is named with its extras."""
    try:
        yield
    except SavantReidError as error:
        raise click.ClickException(str(error)) from error
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("savant_reid", ""):
            raise
        raise click.ClickException(
            f"the package {package!r} is missing; install the local host with: pip install 'savant-reid[{extras}]'"
        ) from error
