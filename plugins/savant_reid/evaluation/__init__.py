"""Truth against result, in the field's own measures."""

from savant_reid.evaluation.overlap import Identity
from savant_reid.evaluation.scores import Score, Scores, evaluate
from savant_reid.evaluation.tracks import COLUMNS, Tracks, read_tracks

__all__ = ["COLUMNS", "Identity", "Score", "Scores", "Tracks", "evaluate", "read_tracks"]
