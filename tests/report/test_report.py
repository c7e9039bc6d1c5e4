from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from fake_run import CLOCK_NS, write_fake_run

from savant_reid.cli import main
from savant_reid.errors import OutputError
from savant_reid.report import write_report

VOID = {"meta", "br", "input"}
# The names of SVG's own parts are no requests.
NAMESPACES = ("http://www.w3.org/",)


class Page(HTMLParser):
    """Checks that tags are closed in order, and gathers what a browser would fetch and what a reader would read."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.links, self.ids, self.words = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        named = dict(attributes)
        self.links += [named[key] for key in ("src", "href", "poster", "data") if key in named]
        self.ids += [named["id"]] if "id" in named else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def page_of(folder):
    path = write_report(folder)
    assert path == folder / "report.html"
    text = path.read_text(encoding="utf-8")
    assert not [one for one in re.findall(r"https?://[^\s\"'<]+", text) if not one.startswith(NAMESPACES)]
    assert not re.search(r"@import|url\((?!#)", text)
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert all(not re.match(r"(?i)[a-z]+:|//", link) for link in page.links)
    return page


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_fake_run(folder, people=6, cameras=3, seconds=40)
    return folder


def test_a_whole_run(run):
    page = page_of(run)
    for words in (
        "Who was where and when",
        "across all cameras",
        "0.957",
        "frames dropped: no time for them",
        "real time",
    ):
        assert words in page.text
    assert page.tags.count("video") == 1
    assert "mosaic.mp4" in page.links
    assert {"overlay-entrance.mp4", "overlay-hall.mp4", "overlay-kitchen.mp4"} <= set(page.links)
    with open(run / "tracks.csv") as lines:
        identities = {row["global_id"] for row in csv.DictReader(lines)} - {"-1"}
    assert {one for one in page.ids if one.startswith("identity-")} == {f"identity-{one}" for one in identities}


def test_it_reads_nothing_but_the_folder_and_says_the_same_twice(run):
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_nothing_dropped_is_said(tmp_path):
    write_fake_run(tmp_path, people=2, cameras=2, seconds=15)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    metrics["identity"] = {}
    for camera in metrics["cameras"].values():
        camera["drops"] = {}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    assert "Nothing was dropped, refused or interrupted." in page_of(tmp_path).text


def test_without_truth(tmp_path):
    write_fake_run(tmp_path, people=3, cameras=2, seconds=20, truth=False, start_ns=CLOCK_NS)
    page = page_of(tmp_path)
    assert "no truth file was given" in page.text
    assert "told apart on 2 cameras" in page.text
    # Another run's truth, left in the folder, is not this run's.
    (tmp_path / "truth.csv").write_text("camera,frame,track_id,global_id,left,top,width,height,confidence,time_ns\n")
    assert "mistake" not in page_of(tmp_path).text


def test_a_run_that_was_killed(tmp_path):
    write_fake_run(tmp_path, people=4, cameras=2, seconds=30, close=False)
    for name in ("tracks.csv", "identities.jsonl"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-9])
    page = page_of(tmp_path)
    assert "The run did not come to its end" in page.text
    assert any(one.startswith("identity-") for one in page.ids)


@pytest.mark.parametrize("empty", [False, True])
def test_a_run_folder_with_nothing_more_or_with_rubbish(tmp_path, empty):
    (tmp_path / "tracks.csv").write_bytes(b"" if empty else b"\xff\xfe,\n1,2\n3\n")
    if not empty:
        (tmp_path / "metrics.json").write_text("[1, 2")
        (tmp_path / "site.yml").write_text("cameras: [a, {b: 1}]\ntransitions: 3\noverlaps: {}")
        (tmp_path / "identities.jsonl").write_text('{"kind": 3}\n[]\nnull\n{"kind": "merged"')
    page = page_of(tmp_path)
    assert "Nobody was identified." in page.text


def test_metrics_of_odd_shapes_do_not_cost_the_page(run, tmp_path):
    odd = {"stages": {"decode": 3}, "cameras": {"a": None}, "scores": {"overall": 1}, "identity": [], "frames": "many"}
    (tmp_path / "metrics.json").write_text(json.dumps(odd))
    (tmp_path / "tracks.csv").write_bytes((run / "tracks.csv").read_bytes())
    page_of(tmp_path)


def test_names_are_escaped(tmp_path):
    evil = ("<b>x</b>", '"><script>alert(1)</script>', "a&b", "täglich 日")
    write_fake_run(tmp_path, people=4, cameras=4, seconds=20, names=evil, close=False)
    page = page_of(tmp_path)
    assert "<b>x</b>" in page.text
    assert "script" not in page.tags
    assert '"><script>alert(1)</script>' in page.text
    assert "täglich 日" in page.text


def test_many_identities_are_folded_away(tmp_path):
    write_fake_run(tmp_path, people=60, cameras=2, seconds=30, truth=False)
    page = page_of(tmp_path)
    assert page.tags.count("details") >= 1
    assert re.search(r"Show all \d+ identities", page.text)


def test_a_folder_of_something_else_gets_no_page(tmp_path):
    mine = tmp_path / "report.html"
    mine.write_text("mine")
    expected = r"expected a run folder, as savant-reid run, demo and replay write it, found none of frames\.jsonl"
    with pytest.raises(OutputError, match=expected):
        write_report(tmp_path)
    assert mine.read_text() == "mine"
    shown = CliRunner().invoke(main, ["topology", "show", str(tmp_path)])
    assert shown.exit_code == 1
    assert "expected a run folder" in shown.output


def test_no_folder():
    with pytest.raises(OutputError, match="expected a run folder"):
        write_report(Path("/nowhere/at/all"))
