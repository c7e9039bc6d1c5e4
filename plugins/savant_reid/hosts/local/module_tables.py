"""Variants of a module: tables of rows, one of which a parameter names.

`${parameters.detectors.${parameters.detector}}` is how OmegaConf, and so Savant, takes the row of a table. Savant's own
message for a name without a row says neither which there are nor which key has it wrong; and it takes a misspelt key of
a row silently.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from savant_reid.hosts.local.module_problems import Problems
from savant_reid.hosts.local.yaml_lines import KeyPath, YamlLines

# ${table.${key}}, and ${key} or that as a whole value
_CHOICE = re.compile(r"\$\{([\w.]+)\.\$\{([\w.]+)\}\}")
_REFERENCE = re.compile(r"\$\{([\w.-]+?)(?:\.\$\{([\w.]+)\})?\}")
_MOST_REFERENCES = 16  # from one to the next; more can only be a ring
CARD = "card.yml"


def check_tables(config: Any, lines: YamlLines, problems: Problems) -> None:
    """Each named row must be there, and all rows have the keys that are used. config: the module before resolving."""
    raw = OmegaConf.to_container(config, resolve=False)
    choices = list(_choices(raw))
    for alias, table_name, key in choices:
        table = _plain(config, table_name)
        if not isinstance(table, Mapping) or not table or not all(isinstance(row, Mapping) for row in table.values()):
            problems.add(tuple(table_name.split(".")), f"expected a table, rows by name, found {table!r}")
            continue
        used = dict.fromkeys(re.findall(rf"\$\{{{re.escape(alias)}\.(\w+)", lines.text))
        for name, row in table.items():
            # Not used and in every row: the module was changed to do without.
            known = set(used).union(set.intersection(*(set(other) for other in table.values())))
            _check_keys((*table_name.split("."), str(name)), row, list(used), known, problems)
        try:
            chosen = OmegaConf.select(config, key)
        except OmegaConfBaseException:
            continue  # resolving the whole will tell
        if chosen not in table:
            names = ", ".join(map(str, table))
            text = f"expected one of {names} (the rows of {table_name}), found {chosen!r}"
            others = [other for _, other, _ in choices if chosen in (_plain(config, other) or ())]
            hint = f"; it is a row of {others[0]}" if others else _hint(config, lines.path.parent, chosen)
            problems.add(tuple(key.split(".")), text + hint)


def _choices(node: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Where a row is taken, from which table, and which key names it."""
    for key, value in node.items() if isinstance(node, Mapping) else ():
        here = f"{path}.{key}" if path else str(key)
        found = _CHOICE.fullmatch(value) if isinstance(value, str) else None
        if found:
            yield here, found[1], found[2]
        yield from _choices(value, here)


def _check_keys(
    path: KeyPath, row: Mapping[str, Any], used: Sequence[str], known: Collection[str], problems: Problems
) -> None:
    unknown = [str(key) for key in row if key not in known]
    for key in unknown:
        problems.add_unknown((*path, key), used, "nothing refers to it")
    missing = [key for key in used if key not in row]
    if missing and not unknown:  # else a misspelling would be told twice
        problems.add(path, f"expected the keys {', '.join(used)}; missing: {', '.join(missing)}")


def origin(config: Any, path: KeyPath) -> KeyPath:
    """Where the value that stands at `path` was written: `${…}` followed to the row that a user has to change.

    config: the module before it is resolved. A path that leads nowhere leads to where its last known ancestor does.
    """
    raw = OmegaConf.to_container(config, resolve=False)
    for _ in range(_MOST_REFERENCES):
        target = _referred(config, raw, path)
        if target is None:
            return path
        path = target
    return path


def _referred(config: Any, raw: Any, path: KeyPath) -> KeyPath | None:
    """The path after the first reference on the way; None where there is none."""
    node = raw
    for index, part in enumerate(path):
        if not _has(node, part):
            return None
        node = node[part]
        found = _REFERENCE.fullmatch(node) if isinstance(node, str) else None
        if found:
            name, key = found.groups()
            chosen = () if key is None else (str(OmegaConf.select(config, key, throw_on_resolution_failure=False)),)
            target = (*name.split("."), *chosen)
            return (*target, *path[index + 1 :]) if _leads_somewhere(raw, target) else None
    return None


def _leads_somewhere(raw: Any, path: KeyPath) -> bool:
    for part in path:
        if isinstance(raw, str):
            return True  # a reference of its own
        if not _has(raw, part):
            return False
        raw = raw[part]
    return True


def _has(node: Any, part: str | int) -> bool:
    if isinstance(node, Mapping):
        return part in node
    return isinstance(node, list) and isinstance(part, int) and 0 <= part < len(node)


def _plain(config: Any, name: str) -> Any:
    node = OmegaConf.select(config, name, throw_on_resolution_failure=False)
    return OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node


def _hint(config: Any, folder: Path, name: Any) -> str:
    """Where the model lies there with its card, only the row is missing."""
    try:
        models = OmegaConf.select(config, "parameters.models")
    except OmegaConfBaseException:
        return ""
    card = folder / str(models) / str(name) / CARD
    return f"; {card} is there: write a row by it, docs/module.md says how" if models and card.is_file() else ""
