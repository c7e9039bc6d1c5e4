"""Values by label, and what Prometheus' own parser reads of them."""

from __future__ import annotations

import math
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from savant_reid.monitoring.exposition import Exposition
from savant_reid.monitoring.meters import Meters
from savant_reid.monitoring.table import DEEPSTREAM_COUNTERS, LOCAL, LOCAL_COUNTERS, exposed_names


def parsed(meters: Meters) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """By name of the sample, as Prometheus stores it: values by labels."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(Exposition(meters, lambda: None).text().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_what_is_counted_is_what_prometheus_reads():
    meters = Meters()
    meters.add("reid_frames", 2, "identify", 'a "strange"\\name\n')
    meters.add("reid_frames", 1, "identify", 'a "strange"\\name\n')
    meters.set("reid_figure", math.nan, "identify", "margin")
    meters.set("reid_healthy", True)
    found = parsed(meters)
    assert found["reid_frames_total"] == {(("element", "identify"), ("source_id", 'a "strange"\\name\n')): 3.0}
    [figure] = found["reid_figure"].values()
    assert math.isnan(figure)
    assert found["reid_healthy"] == {(): 1.0}
    assert found["process_resident_memory_bytes"][()] > 1e6


def test_every_name_of_the_table_is_what_is_exposed():
    meters = Meters()
    for name, metric in LOCAL.items():
        (meters.observe if metric.buckets else meters.set)(name, 1.0, *("x" for _ in metric.labels))
    savant = {f"{name}_total" for name in DEEPSTREAM_COUNTERS}
    assert {name for name in parsed(meters) if name.startswith("reid_")} == exposed_names() - savant
    assert not set(LOCAL_COUNTERS) & set(DEEPSTREAM_COUNTERS)


def test_a_histogram_sums_up_its_buckets():
    meters = Meters()
    bounds = LOCAL["reid_latency_seconds"].buckets
    for value in (0.005, 0.01, 0.04, 100.0):
        meters.observe("reid_latency_seconds", value, "door")
    found = parsed(meters)
    buckets = {dict(labels)["le"]: value for labels, value in found["reid_latency_seconds_bucket"].items()}
    assert (buckets["0.01"], buckets["0.05"], buckets["30.0"], buckets["+Inf"]) == (2, 3, 3, 4)
    assert len(buckets) == len(bounds) + 1
    assert found["reid_latency_seconds_count"] == {(("source_id", "door"),): 4}
    assert found["reid_latency_seconds_sum"] == {(("source_id", "door"),): pytest.approx(100.055)}


def test_a_metric_takes_no_more_series_than_it_may():
    meters = Meters(most_series=3)
    for number in range(5):
        meters.add("reid_reconnects", 1, f"camera-{number}")
        meters.observe("reid_latency_seconds", 1.0, f"camera-{number}")
        meters.set("reid_camera_fps", 1.0, f"camera-{number}")
    meters.add("reid_reconnects", 1, "camera-0")
    assert meters.values("reid_reconnects") == {("camera-0",): 2, ("camera-1",): 1, ("camera-2",): 1}
    assert len(meters.distributions("reid_latency_seconds")) == len(meters.values("reid_camera_fps")) == 3
    assert set(meters.values("reid_series_refused").values()) == {2.0}


def test_labels_of_another_number_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="reid_frames: expected values of"):
        Meters().add("reid_frames", 1, "identify")


def test_nothing_is_lost_between_threads_that_count_and_one_that_reads():
    meters = Meters()
    exposition = Exposition(meters, lambda: None)

    def count(thread: int) -> None:
        for number in range(2000):
            meters.add("reid_frames", 1, "detector", f"camera-{number % 40}")
            meters.observe("reid_batch_seconds", 0.01, f"element-{thread}")

    threads = [threading.Thread(target=count, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        exposition.text()
    assert sum(meters.values("reid_frames").values()) == 4 * 2000
    assert [sum(found.counts) for found in meters.distributions("reid_batch_seconds").values()] == [2000] * 4
