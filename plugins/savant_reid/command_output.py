"""What the commands of the command line show while they work, and when they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def progress_bar(title: str, unit: str) -> Iterator[Any]:
    """A bar on standard error, where that is a terminal, which lines of the log do not break."""
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    with logging_redirect_tqdm(), tqdm(desc=title, unit=unit, disable=None, dynamic_ncols=True) as bar:
        yield bar


def video_clock(bar: Any) -> Callable[[int], None]:
    """Given the times of frames, in ns, the bar says how far the video has come since the first of them."""
    first_ns: list[int] = []

    def show(time_ns: int) -> None:
        first_ns[:] = first_ns or [time_ns]
        bar.set_postfix_str(f"{(time_ns - first_ns[0]) * 1e-9:.0f} s of video", refresh=False)

    return show


def score_lines(metrics: Mapping[str, Any]) -> list[str]:
    """What metrics.json holds under `scores`, and which cameras do not fit; nothing without a truth."""
    scores = metrics.get("scores")
    if not scores:
        return []
    best, alone, live = (scores[k]["IDF1"] for k in ("overall", "single_camera_tracks", "as_said_live"))
    lines = [f"IDF1 over all cameras {best:.3f}; said live {live:.3f}; single-camera tracks alone {alone:.3f}"]
    return lines + camera_lines(scores["cameras_only_in_truth"], scores["cameras_only_in_result"])


def camera_lines(only_in_truth: Sequence[str], only_in_result: Sequence[str]) -> list[str]:
    """A line for each kind of cameras that only one of two compared files has."""
    kinds = (
        (only_in_truth, "not in the result, all missed"),
        (only_in_result, "not in the truth, all false positives"),
    )
    return [f"{meaning}: {', '.join(names)}" for names, meaning in kinds if names]


def told_of_refused(metrics: Mapping[str, Any]) -> list[str]:
    """A line for each reason why embeddings were refused; poor crops are everyday and left out."""
    refused: dict[str, int] = metrics["identity"]["refused_embeddings"]
    return [
        f"refused: {count} embeddings, {reason.replace('_', ' ')}"
        for reason, count in refused.items()
        if count and reason != "poor_crop"
    ]
