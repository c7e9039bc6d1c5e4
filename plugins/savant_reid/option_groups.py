"""Options of the command line that belong together."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def as_one(name: str, make: Callable[..., Any], *options: Decorator) -> Decorator:
    """Options that reach a command as one argument, `name`: a function that makes what they ask for, when it is called.

    make: takes the options' values by name. What it raises belongs to where the command calls it, in `plain_errors`.
    """
    values = tuple(inspect.signature(make).parameters)

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def packed(**given: Any) -> Any:
            asked = {value: given.pop(value) for value in values}
            return command(**{name: functools.partial(make, **asked)}, **given)

        decorated: Callable[..., Any] = packed
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def expect_partner(partner: str, *names: str) -> None:
    """For where `partner` is absent. Raises BadParameter for the first of `names` (as --rtsp-host) that was given."""
    context = click.get_current_context(silent=True)
    for name in names:
        parameter = name.removeprefix("--").replace("-", "_")
        if context and context.get_parameter_source(parameter) is ParameterSource.COMMANDLINE:
            raise click.BadParameter(f"expected {partner} beside it", param_hint=name)
