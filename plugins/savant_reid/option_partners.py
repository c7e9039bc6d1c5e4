"""Options of the command line that mean nothing without another one."""

from __future__ import annotations

import click
from click.core import ParameterSource


def expect_partner(partner: str, *names: str) -> None:
    """For where `partner` is absent. Raises BadParameter for the first of `names` (as --rtsp-host) that was given."""
    context = click.get_current_context(silent=True)
    for name in names:
        parameter = name.removeprefix("--").replace("-", "_")
        if context and context.get_parameter_source(parameter) is ParameterSource.COMMANDLINE:
            raise click.BadParameter(f"expected {partner} beside it", param_hint=name)
