"""What was learned of the ways, beside what was declared: as numbers, as a page, as text."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner
from fake_run import write_fake_run

from savant_reid.cli import main
from savant_reid.report import write_report
from savant_reid.report.histogram import HEIGHT_PX, WIDTH_PX, draw_histogram
from savant_reid.report.topology import Durations, Way, learned_topology
from savant_reid.report.topology_text import COLUMNS, topology_text

EVEN = Durations((0.0, 10.0, 20.0), (0.08, 0.02))
SITE = {"transitions": [{"from": "a", "to": "b", "seconds": [2, 10], "both_ways": True}]}


def entry(**changed):
    plain = {"from": "a", "to": "b", "declared": [2, 10], "expected_count": 3.5, "probability": 0.5}
    return {**plain, "seconds": {"edges": [0, 10, 20], "density": [0.08, 0.02]}, **changed}


def learned(*transitions, **more):
    return learned_topology({"identity": {"topology": {"transitions": list(transitions), **more}}}, SITE)


def test_shares_and_quantiles_of_a_histogram():
    assert EVEN.share_before(10) == pytest.approx(0.8)
    assert EVEN.share_before(99) == 1.0
    assert EVEN.quantile(0.4) == pytest.approx(5.0)
    assert EVEN.quantile(0.9) == pytest.approx(15.0)
    way = Way("a", "b", (5.0, 10.0), durations=EVEN)
    assert way.outside == pytest.approx(0.6)
    assert way.most_seconds == pytest.approx((1.25, 15.0))


def test_learned_and_declared_ways_stand_in_one_list():
    found = learned(entry(), entry(**{"from": "b", "to": "c", "declared": None, "expected_count": 7}))
    assert [(way.source, way.target, way.declared) for way in found.ways] == [
        ("b", "c", None),
        ("a", "b", (2.0, 10.0)),
        ("b", "a", (2.0, 10.0)),
    ]
    assert found.ways[2].durations is None
    assert not found.is_empty
    assert learned_topology({}, SITE).is_empty


BROKEN = [
    {"edges": [0, 10], "density": [0.1, 0.1]},
    {"edges": [0, 0, 20], "density": [0.1, 0.1]},
    {"edges": [0, 10, 20], "density": [0, 0]},
    {"edges": [0, 10, 20], "density": [None, 0.1]},
    {"edges": "none", "density": {}},
    [1, 2],
    None,
]


@pytest.mark.parametrize("seconds", BROKEN)
def test_a_broken_histogram_costs_only_itself(seconds):
    way = learned(entry(seconds=seconds)).ways[0]
    assert way.durations is None
    assert way.count == 3.5
    assert topology_text(learned(entry(seconds=seconds)))


@pytest.mark.parametrize("broken", [7, "x", [], [entry(**{"from": 3})], {"transitions": 3, "cameras": []}])
def test_a_broken_file_costs_nothing_else(broken):
    found = learned_topology({"identity": {"topology": broken}}, SITE)
    assert [way.count for way in found.ways] == [None, None]
    assert learned_topology({"identity": broken}, SITE).is_empty


def test_the_picture_stays_inside_its_frame():
    for declared in ((2.0, 10.0), (0.0, 3600.0), (30.0, 40.0), None):
        picture = draw_histogram(Way("a", "b", declared, durations=EVEN))
        points = [tuple(map(float, point)) for point in re.findall(r"([\d.]+),([\d.]+)", picture.path)]
        assert all(0 <= x <= WIDTH_PX and 0 <= y <= HEIGHT_PX for x, y in points)
        assert picture.runs_on == (declared == (0.0, 3600.0))
        if picture.window:
            assert 0 <= picture.window[0] <= sum(picture.window) <= WIDTH_PX + 1
    assert draw_histogram(Way("a", "b", (1.0, 2.0))).path == ""


def test_a_share_outside_that_was_expected_anyhow_is_no_mistake():
    assert not Way("a", "b", (0.0, 16.0), durations=EVEN).is_too_narrow  # 8 %
    assert Way("a", "b", (0.0, 14.0), durations=EVEN).is_too_narrow  # 12 %
    assert not Way("a", "b", None, durations=EVEN).is_too_narrow


def test_a_tail_of_hours_does_not_press_the_walks_into_a_line():
    tail = Durations((0.0, 10.0, 20.0, 40_000.0), (0.05, 0.045, 0.05 / 39_980))
    assert tail.quantile(0.98) > 20_000
    assert Way("a", "b", None, durations=tail).axis_seconds == pytest.approx(1.15 * 60)


def test_text_has_a_bar_over_its_window():
    text = topology_text(learned(entry()))
    bars, window = re.findall(rf"\|(.{{{COLUMNS}}})\|", text)[:2]
    at = int(COLUMNS * 10 / (1.15 * 18.0))  # where the density falls; the axis ends 15 % after 98 % of the walks
    assert bars[: at - 1] == "█" * (at - 1)
    assert set(bars[at + 1 :].strip()) == {"▂"}
    assert window.strip()[0] + window.strip()[-1] == "[]"
    assert "20% of the walks outside" not in text
    assert "36% of the walks outside" in text
    assert topology_text(learned(entry()), blocks=False).isascii()


def test_the_page_of_a_run_draws_it(tmp_path):
    write_fake_run(tmp_path)
    page = write_report(tmp_path).read_text()
    assert "Ways as learned" in page
    assert page.count('class="histogram"') == 7
    assert "hall to kitchen; eight in ten walks take" in page
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    del metrics["identity"]["topology"]
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    assert "Ways as learned" not in write_report(tmp_path).read_text()


def test_the_command_shows_runs_and_sites(tmp_path):
    write_fake_run(tmp_path)
    shown = CliRunner().invoke(main, ["topology", "show", str(tmp_path)])
    assert shown.exit_code == 0, shown.output
    assert "11.4 walks; 57% of those who leave" in shown.output
    assert re.search(r"entrance +12.5 +60% +0.021", shown.output)
    declared = CliRunner().invoke(main, ["topology", "show", "--site", str(tmp_path / "site.yml")])
    assert "Nothing was learned" in declared.output
    assert "declared 2 to 9 s" in declared.output
    both = CliRunner().invoke(main, ["topology", "show", str(tmp_path), "--site", str(tmp_path / "site.yml")])
    assert both.exit_code == 2
    (tmp_path / "metrics.json").unlink()
    assert "There is no metrics.json" in CliRunner().invoke(main, ["topology", "show", str(tmp_path)]).output


def test_a_wrong_site_file_is_named(tmp_path):
    (tmp_path / "site.yml").write_text("site: s\ncamera: {}\n")
    result = CliRunner().invoke(main, ["topology", "show", "--site", str(tmp_path / "site.yml")])
    assert result.exit_code == 1
    assert "site.yml:2: camera: unknown key" in result.output
