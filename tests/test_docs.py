"""What the documents say can be done: files, targets, commands and examples exist and work."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from savant_reid.cli import main
from savant_reid.site import load_site

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def links(page: Path) -> list[str]:
    """Targets inside the project."""
    return re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text())


def make_targets(page: Path) -> list[str]:
    return re.findall(r"\bmake ([a-z][a-z0-9-]+)", "\n".join(blocks(page, "sh")))


def commands(page: Path) -> list[list[str]]:
    """Calls of savant-reid, as words from the command on."""
    lines = "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    calls = [shlex.split(line, comments=True) for line in lines]
    found = []
    for words in calls:
        at = [i for i, word in enumerate(words) if word.endswith("savant-reid") and i + 1 < len(words)]
        if at and words[0] != "git":
            found.append(words[at[0] + 1 :])
    return found


@pytest.mark.parametrize("find", [links, make_targets, commands])
def test_there_is_something_to_check(find):
    assert any(map(find, PAGES))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in links(page):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page):
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in make_targets(page):
        assert target in targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_their_options_exist(page):
    for words in commands(page):
        command = main.commands[words[0]]
        if isinstance(command, click.Group):
            command = command.commands[words[1]]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


def test_the_example_of_a_site_loads(tmp_path):
    [example] = blocks(ROOT / "docs" / "site.md", "yaml")
    (tmp_path / "site.yml").write_text(example)
    site = load_site(tmp_path / "site.yml")
    assert site.policy().retention_s == 12 * 3600
    assert site.topology().cameras == ["entrance", "aisle-1"]


def test_the_modules_own_site_loads():
    assert load_site(ROOT / "module" / "site.yml").transitions == []
