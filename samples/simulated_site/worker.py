"""A process that renders whole cameras: `python -m simulated_site.worker SITE.pickle OUT PARTS`.

Camera names come in on stdin, one a line; lines `frames N` (newly finished) and `done CAMERA` go out on stdout. The
truth of a camera is left as PARTS/CAMERA.csv. A process of its own, rather than multiprocessing, so that callers need
no __main__ guard.
"""

from __future__ import annotations

import csv
import pickle
import sys
from pathlib import Path

import cv2

from simulated_site.encode import VideoError, VideoWriter
from simulated_site.render import render_frame
from simulated_site.site import Site

REPORT_EVERY = 10


def render_camera(site: Site, name: str, video: Path, truth: Path) -> None:
    """Write one camera's video and truth rows, telling stdout how far it is."""
    camera = site.camera(name)
    waiting = 0
    with truth.open("w", newline="") as file, VideoWriter(video, camera.width, camera.height, site.fps) as writer:
        table = csv.writer(file, lineterminator="\n")
        for frame in range(site.frames):
            image, rows = render_frame(site, name, frame)
            writer.write(image)
            table.writerows(rows)
            waiting += 1
            if waiting == REPORT_EVERY:
                print(f"frames {waiting}", flush=True)
                waiting = 0
    print(f"frames {waiting}", flush=True)


def main() -> None:
    cv2.setNumThreads(1)
    site_path, out, parts = (Path(arg) for arg in sys.argv[1:4])
    # The file was written by our parent a moment ago, in a folder that only this user can read.
    site = pickle.loads(site_path.read_bytes())
    for line in sys.stdin:
        name = line.strip()
        try:
            render_camera(site, name, out / f"{name}.mp4", parts / f"{name}.csv")
        except (VideoError, OSError) as error:
            sys.exit(str(error))
        print(f"done {name}", flush=True)


if __name__ == "__main__":
    main()
