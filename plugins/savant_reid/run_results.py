"""What `run` and `replay` both say in metrics.json: what the identity core did, and the scores against a truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from savant_reid.evaluation.live import read_frames
from savant_reid.evaluation.scores import evaluate
from savant_reid.evaluation.tracks import Tracks, read_tracks
from savant_reid.identity.types import State
from savant_reid.sinks.run_folder import FRAMES, TRACKS

if TYPE_CHECKING:
    from savant_reid.identity.resolver import Resolver


def score_run(truth: Tracks, out: Path) -> dict[str, Any]:
    """Scores of a run folder: its repaired tracks.csv overall and per camera, beside what single-camera tracks alone
    would get and what was said live, in the moment."""
    result, live = read_tracks(out / TRACKS), read_frames(out / FRAMES)
    repaired = evaluate(truth, result)
    alone = evaluate(truth, result, identity="track", per_camera=False)
    return {
        "overall": repaired.overall.to_json(),
        "single_camera_tracks": alone.overall.to_json(),
        "as_said_live": evaluate(truth, live, per_camera=False).overall.to_json(),
        "cameras": {name: score.to_json() for name, score in repaired.cameras.items()},
        "cameras_only_in_truth": list(repaired.only_in_truth),
        "cameras_only_in_result": list(repaired.only_in_result),
    }


def identity_metrics(
    resolver: Resolver, embeddings: int, person_seconds: float, shared_ids_in_frame: int
) -> dict[str, Any]:
    """The key `identity` of metrics.json. embeddings: made by the model. person_seconds: people on screen, summed."""
    return {
        "identities": resolver.identities,
        "enrolled": {name: global_id for global_id, name in resolver.enrolled.items()},
        "events": dict(sorted(resolver.counts.items())),
        "decisions": {state.value: resolver.decisions[state.value] for state in State},
        "embeddings": embeddings,
        "accepted_embeddings": resolver.accepted,
        "embeddings_per_person_second": embeddings / person_seconds if person_seconds else 0.0,
        "refused_embeddings": dict(resolver.refused),
        "shared_ids_in_frame": shared_ids_in_frame,
        "swaps_cut": resolver.cuts,
        "turned_away": resolver.turned_away,
        "clock_jumps": resolver.clock_jumps,
        "similarity": resolver.similarity(),
        "topology": resolver.learned_topology(),
    }
