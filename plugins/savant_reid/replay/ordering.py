"""The recording in the order in which it is to be replayed."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from savant_reid.replay.recording import Recording
from savant_reid.replay.scan import Scan, scan
from savant_reid.replay.sorting import sort_by_time

log = logging.getLogger(__name__)

_SORTING = ".sorting-"


@contextmanager
def in_order(
    recording: Recording, found: Scan, order: str, cameras: Sequence[str], site_file: Path, out: Path
) -> Iterator[tuple[Recording, Scan]]:
    """The recording to replay, and what is known of it: itself, or itself sorted in a temporary folder in `out`.

    order: see ReplayRequest.
    """
    sort = order == "time" or (order == "auto" and found.is_sorted_by_camera)
    if not sort or not found.rows:
        _warn_of_disorder(order, found, cameras)
        yield recording, found
        return
    if order == "auto":
        log.info("%s is sorted by camera: sorting it by time", recording.name)
    for left in out.glob(f"{_SORTING}*"):  # of a replay that was killed
        shutil.rmtree(left, ignore_errors=True)
    # In the output folder: where the results fit, so large a file may fit too; /tmp is often small.
    with tempfile.TemporaryDirectory(prefix=_SORTING, dir=out) as folder:
        ordered = sort_by_time(recording, {name: i for i, name in enumerate(cameras)}, Path(folder))
        yield ordered, scan(ordered, cameras, site_file)


def _warn_of_disorder(order: str, found: Scan, cameras: Sequence[str]) -> None:
    for name, steps, rows in zip(cameras, found.steps_back.tolist(), found.counts.tolist(), strict=True):
        # A clock jumps once in a while; a file sorted by track, say, goes back with every track.
        if order == "auto" and steps > 10 and steps > rows // 1000:
            log.warning(
                "camera %s: its time goes back %d times in %d rows; if the file is not in the order of recording, "
                "try --order time",
                name,
                steps,
                rows,
            )
