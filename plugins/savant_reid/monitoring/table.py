"""Every metric of this project, for both hosts: name, what it says, labels.

docs/operating.md tells what to do with each.

Labels are bounded: elements of the module, cameras of the site, names and kinds that the code knows. Never an identity,
a track or an address.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Metric(NamedTuple):
    """text: one line for those who look at /metrics. buckets: upper bounds of a histogram, else empty."""

    text: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()


Table = Mapping[str, Metric]

# Seconds. A live camera's frame has 0.04 s until the next one; what takes ten times as long is seen by a guard.
BATCH_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

# Prometheus adds `_total` to the names of counters.
SHARED_COUNTERS: Table = MappingProxyType(
    {
        "reid_frames": Metric("Frames that the element has worked on", ("element", "source_id")),
        "reid_people": Metric("Tracked people in these frames, counted in each frame", ("element", "source_id")),
        "reid_embeddings": Metric("Embeddings read from the re-ID model", ("element", "source_id")),
        "reid_held_back": Metric("Times that a person was kept from the re-ID model", ("element", "source_id")),
        "reid_seconds": Metric("Time spent in the element", ("element",)),
        "reid_batches": Metric("Batches that the element has worked on", ("element",)),
        "reid_events": Metric("Identity events, by kind", ("element", "kind")),
    }
)
SHARED_GAUGES: Table = MappingProxyType(
    {
        "reid_figure": Metric("Figures of the identity core, by name", ("element", "name")),
        "reid_camera_figure": Metric("Figures of the identity core by camera", ("element", "source_id", "name")),
        "reid_sink_figure": Metric("Figures of an output, by name", ("sink", "name")),
    }
)

# In Savant, what breaks is passed over; the local host ends.
DEEPSTREAM_COUNTERS: Table = MappingProxyType(
    {
        "reid_left_out": Metric("People without a track of their own, counted in each frame", ("element",)),
        "reid_keys_parted": Metric("Objects that shared label and box with another one of their frame", ("element",)),
        "reid_troubles": Metric("What went wrong and was passed over, by kind", ("element", "source_id", "kind")),
    }
)

# In Savant, cameras and most outputs are other programs' work.
LOCAL_COUNTERS: Table = MappingProxyType(
    {
        "reid_drops": Metric("Frames dropped, by reason", ("source_id", "reason")),
        "reid_decode_errors": Metric("Damaged pictures, and streams that broke in the middle", ("source_id",)),
        "reid_connection_errors": Metric("Attempts to connect that failed, and streams that broke", ("source_id",)),
        "reid_reconnects": Metric("Streams that came back", ("source_id",)),
        "reid_packets_lost": Metric("Packets of RTP that did not come in time", ("source_id",)),
        "reid_stream_jumps": Metric("Times that a camera's own time stamps leapt or went back", ("source_id",)),
        "reid_clock_steps": Metric("Times that this machine's clock was set, by more than a second", ()),
        "reid_series_refused": Metric("Values left out: their metric has too many series", ("metric",)),
    }
)
LOCAL_GAUGES: Table = MappingProxyType(
    {
        "reid_camera_connected": Metric("1 while frames can be expected of the camera", ("source_id",)),
        "reid_camera_fps": Metric("Frames per second, as the stream says or as measured; 0: unknown", ("source_id",)),
        "reid_healthy": Metric("1 while /healthz says 200", ()),
        "reid_ready": Metric("1 while /readyz says 200", ()),
        "reid_batch_age_seconds": Metric("Since the last batch, or since the start", ()),
    }
)
LOCAL_HISTOGRAMS: Table = MappingProxyType(
    {
        "reid_batch_seconds": Metric("Time in the element, by batch", ("element",), BATCH_BUCKETS),
        "reid_latency_seconds": Metric(
            "From a live frame's arrival until its decisions have been handed to all outputs",
            ("source_id",),
            LATENCY_BUCKETS,
        ),
    }
)

COUNTERS: Table = MappingProxyType({**SHARED_COUNTERS, **LOCAL_COUNTERS})
GAUGES: Table = MappingProxyType({**SHARED_GAUGES, **LOCAL_GAUGES})
LOCAL: Table = MappingProxyType({**COUNTERS, **GAUGES, **LOCAL_HISTOGRAMS})


def exposed_names() -> frozenset[str]:
    """Names as Prometheus stores them, of both hosts: what a dashboard or an alert may ask for."""
    counters = {f"{name}_total" for name in (*COUNTERS, *DEEPSTREAM_COUNTERS)}
    histograms = {f"{name}_{part}" for name in LOCAL_HISTOGRAMS for part in ("bucket", "sum", "count")}
    return frozenset(counters | set(GAUGES) | histograms)
