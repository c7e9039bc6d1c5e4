"""The dashboard and the alerts ask for what there is; with Prometheus's own tool where it is installed."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from savant_reid.monitoring.table import DEEPSTREAM_COUNTERS, LOCAL, exposed_names
from savant_reid.pyfuncs.identify import Identify
from savant_reid.sinks import kafka, mqtt, savant
from savant_reid.site import load_site

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DASHBOARD = json.loads((DOCKER / "grafana" / "dashboards" / "savant-reid.json").read_text())

# savant/metrics/prometheus.py; Prometheus adds _total to counters.
SAVANT_METRICS = {
    *("frame_counter_total", "object_counter_total", "stage_queue_length"),
    *("stage_frame_counter_total", "stage_object_counter_total", "stage_batch_counter_total"),
}
# prometheus_client's ProcessCollector.
PROCESS_METRICS = {"process_resident_memory_bytes"}


WORDS = {
    *("max", "sum", "rate", "increase", "and", "unless", "on", "ignoring", "histogram_quantile", "min_over_time"),
    *("by", "without"),
}
FIGURES = {"reid_figure", "reid_camera_figure", "reid_sink_figure"}


def panel_expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


def alerts() -> list[dict[str, Any]]:
    [group] = yaml.safe_load((DOCKER / "alerts.yml").read_text())["groups"]
    return group["rules"]


def metrics_in(expression: str) -> set[str]:
    """Names of metrics: what is no function, no label and no value."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|without|on|ignoring) \([^)]*\)", " ", expression)
    return set(re.findall(r"\b[a-z]\w+\b", bare)) - WORDS


def test_the_dashboard_asks_for_metrics_that_exist():
    asked = set().union(*map(metrics_in, panel_expressions()))
    ours = exposed_names()
    assert asked <= ours | SAVANT_METRICS | PROCESS_METRICS
    # Of a histogram its buckets are enough; of stages only the time in each is drawn.
    parts = {name for name in ours if name.endswith(("_sum", "_count"))}
    assert asked >= ours - parts, "a metric of ours that nobody looks at"


def test_alerts_ask_for_metrics_that_exist():
    assert alerts()
    for alert in alerts():
        assert metrics_in(alert["expr"]) <= exposed_names() | {"up"}, alert["alert"]
        assert alert["labels"]["severity"] in ("page", "ticket")


@pytest.mark.parametrize("expression", [*panel_expressions(), *(alert["expr"] for alert in alerts())])
def test_labels_and_figures_that_are_asked_for_exist(expression: str):
    rows = {**LOCAL, **DEEPSTREAM_COUNTERS}
    known = {
        "record_type",
        "stage_name",
        "instance",
        "job",
        "le",
        *(label for row in rows.values() for label in row.labels),
    }
    grouped = ",".join(re.findall(r"\b(?:by|without|on|ignoring) \(([^)]*)\)", expression))
    assert {label.strip() for label in grouped.split(",") if label.strip()} <= known
    assert set(re.findall(r"(\w+)=~?\"", expression)) <= known
    for metric, name in re.findall(r'(reid_\w*figure)\{name=~?"([^"]+)"', expression):
        found = figure_names()[metric]
        for part in [name] if "(" in name else name.split("|"):
            assert any(re.fullmatch(part, one) for one in found), part


@functools.cache
def figure_names() -> dict[str, set[str]]:
    """Of identify, from a site without anybody in it; and of the outputs."""
    identify = Identify(site=str(DOCKER / "site" / "site.yml"), embedding_model="person_reid")
    by_camera = identify.camera_figures()
    assert set(by_camera) == set(load_site(DOCKER / "site" / "site.yml").cameras)
    sinks = {"frames", "events", "refused", "overruns", *kafka.FIGURES, *mqtt.FIGURES, *savant.FIGURES}
    return {
        "reid_figure": set(identify.figures()),
        "reid_camera_figure": set().union(*by_camera.values()),
        "reid_sink_figure": sinks,
    }


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_every_alert_and_every_metric_is_on_the_page(alert: dict[str, Any]):
    page = (ROOT / "docs" / "operating.md").read_text()
    assert f"`{alert['alert']}`" in page
    assert {name for name in (*LOCAL, *DEEPSTREAM_COUNTERS) if f"`{name}`" not in page} == set()
    assert {name for names in figure_names().values() for name in names if f"`{name}`" not in page} == set()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    "command",
    [
        ["check", "config", str(DOCKER / "prometheus.yml")],
        ["check", "rules", "--lint-fatal", str(DOCKER / "alerts.yml")],
        ["test", "rules", str(ROOT / "tests" / "monitoring" / "alerts_test.yml")],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_promtool_is_content(command: list[str]):
    done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
