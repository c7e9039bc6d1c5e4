"""Errors are few, and all of them are in one tree."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from savant_reid import errors

PACKAGE = Path(errors.__file__).parent


def defined() -> dict[str, set[str]]:
    """Every class of the package: name to the names of its bases. Read and not imported: some need packages."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                found[node.name] = {base.id for base in node.bases if isinstance(base, ast.Name)}
    return found


def test_the_tree_names_every_error_under_its_parent():
    parents = {}
    above = [errors.SavantReidError.__name__]
    for indent, name in re.findall(r"^([│ ]*)[├└]── (\w+)", errors.__doc__ or "", re.MULTILINE):
        depth = len(indent) // 4 + 1
        above[depth:] = [name]
        parents[name] = above[depth - 1]
    assert parents, "no tree in the docstring"
    classes = defined()
    meant = {"SavantReidError"}
    while more := {name for name, bases in classes.items() if bases & meant} - meant:
        meant |= more
    assert {name: classes[name] for name in meant - {"SavantReidError"}} == {n: {p} for n, p in parents.items()}
