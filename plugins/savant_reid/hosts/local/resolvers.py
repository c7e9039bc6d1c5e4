"""The resolvers that Savant adds to OmegaConf: `${calc:"arg_0*2",${parameters.x}}` and `${json:…}`."""

from __future__ import annotations

import json
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from simpleeval import simple_eval


def register_resolvers() -> None:
    """Make `calc` and `json` known; does nothing where somebody (Savant itself) has done so already."""
    # OmegaConf 2.4 has a new name for it; Savant's container brings 2.3.
    register = getattr(OmegaConf, "register_resolver", None) or OmegaConf.register_new_resolver
    for name, resolver in (("calc", _calc), ("json", _json)):
        if not OmegaConf.has_resolver(name):
            register(name, resolver)


def _calc(expression: str, *arguments: Any) -> Any:
    """The value of an arithmetic expression; its arguments are called arg_0, arg_1 …"""
    return simple_eval(expression, names={f"arg_{i}": argument for i, argument in enumerate(arguments)})


def _json(text: str | None, *_: Any) -> DictConfig | ListConfig | None:
    """The configuration node that a JSON text stands for; None stays None."""
    if text is None:
        return None
    value = json.loads(text)
    return None if value is None else OmegaConf.create(value)
