"""What the user asks of the identity core, and the constants it works with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """The user's part; validated where it is read (site.yml), trusted here.

    target_fpir: asked probability that a person never seen before is taken for a known one.
    retention_s: an identity not seen for so long is forgotten.
    capacity: most identities held at once.
    similarity_threshold: no match below this similarity, whatever the odds; None leaves it to the odds.
    """

    target_fpir: float = 0.01
    retention_s: float = 12 * 3600.0
    capacity: int = 100_000
    similarity_threshold: float | None = None


@dataclass(frozen=True)
class Tuning:
    """The engine's own constants. Times in seconds of stream time.

    prototypes: kept per identity, one for each of its visits while there is room.
    crops: kept per tracklet; more than eight say little new about one visit.
    crop_every_s: between two crops of a track at first; doubles with every second crop up to crop_most_s.
    least_quality: a crop worth less would only blur the tracklet's mean.
    min_crops: a newcomer is decided from so many crops on, if the answer is clear ...
    decide_after_s: ... or at this age, with whatever there is by then (at least one crop).
    redecide_s: an unclear answer is asked for again this often.
    visible_s: who was seen this recently counts as present; bridges a few frames the tracker missed.
    patience_s: a tracklet not seen for so long is closed.
    confirm_crops: good crops that turn a provisional identity into a confirmed one.
    provisional_retention_s: a provisional identity that nobody comes back to is pruned early (a gallery of noise
        is worse than a small one).
    confident: probability from which an answer is clear.
    stickiness: log-odds by which a tracklet's present identity is preferred; keeps noise from flipping labels.

    normalise, directions, topology, motion, swaps, second_thoughts: parts that an ablation takes out.
    """

    prototypes: int = 8
    crops: int = 8
    crop_every_s: float = 0.25
    crop_most_s: float = 2.0
    least_quality: float = 0.1
    min_crops: int = 1
    decide_after_s: float = 2.0
    redecide_s: float = 1.5
    visible_s: float = 0.5
    patience_s: float = 4.0
    confirm_crops: int = 5
    provisional_retention_s: float = 600.0
    confident: float = 0.9
    stickiness: float = 1.5
    normalise: bool = True
    directions: bool = True
    topology: bool = True
    motion: bool = True
    swaps: bool = True
    second_thoughts: bool = True
