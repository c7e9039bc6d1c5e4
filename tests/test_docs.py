"""What the documents say can be done: files, targets, commands and examples exist and work."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from model_builder.__main__ import main as model_builder

from savant_reid.cli import main
from savant_reid.site import load_site

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "model_builder").rglob("*.md")),
    *sorted((ROOT / "samples").rglob("*.md")),
]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page):
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in re.findall(r"\bmake ([a-z][a-z0-9-]+)", "\n".join(blocks(page, "sh"))):
        assert target in targets


def commands_of(page: Path) -> Iterator[tuple[click.Group, list[str]]]:
    """The command lines in its shell blocks: which program's, and what comes after its name."""
    for line in "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        for at, word in enumerate(words[:-1]):
            if word.endswith("savant-reid") and words[0] != "git":
                yield main, words[at + 1 :]
            elif word == "model_builder" and words[at - 1] == "-m":
                yield model_builder, words[at + 1 :]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_complete_and_their_options_exist(page, monkeypatch):
    # Files of the reader's are not here.
    monkeypatch.setattr(click.Path, "convert", lambda _type, value, *_: value)
    for command, arguments in commands_of(page):
        name = ""
        while isinstance(command, click.Group) and arguments:
            name, *arguments = arguments
            command = command.commands[name]
        command.make_context(name, list(arguments))


def test_there_are_commands_links_and_targets_to_check():
    text = "\n".join(page.read_text() for page in PAGES)
    assert any(True for page in PAGES for _ in commands_of(page))
    assert re.search(r"\]\((?!https?://)([^)#]+)", text)
    assert re.search(r"\bmake ([a-z][a-z0-9-]+)", text)


def test_the_example_of_a_site_loads(tmp_path):
    [example] = blocks(ROOT / "docs" / "site.md", "yaml")
    (tmp_path / "site.yml").write_text(example)
    site = load_site(tmp_path / "site.yml")
    assert site.policy().retention_s == 12 * 3600
    assert site.topology().cameras == ["entrance", "aisle-1"]


def test_the_modules_own_site_loads():
    assert load_site(ROOT / "module" / "site.yml").transitions == []
