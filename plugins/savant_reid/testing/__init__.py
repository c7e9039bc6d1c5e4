"""Recordings of tracked people with embeddings and truth, to test and measure with: nobody's video is needed.

    recording = Recording(preset("real", seed=1))
    for moment in recording.moments():
        decisions = resolver.resolve(moment.sightings)

As files: `python -m savant_reid.testing real --seed 1 --out FOLDER`. What recordings hold: docs/recordings.md.
"""

from savant_reid.testing.recording import Moment, Recording, TruthFrame
from savant_reid.testing.settings import PRESETS, RecordingSettings, preset
from savant_reid.testing.writer import Files, write_recording

__all__ = ["PRESETS", "Files", "Moment", "Recording", "RecordingSettings", "TruthFrame", "preset", "write_recording"]
