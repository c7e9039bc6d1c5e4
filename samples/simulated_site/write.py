"""A site on disk: one H.264 video per camera, truth.csv and site.yml."""

from __future__ import annotations

import contextlib
import os
import pickle
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from simulated_site.render import TruthRow
from simulated_site.site import Site
from simulated_site.site_file import site_document


@dataclass(frozen=True)
class SiteFiles:
    """videos: camera name to MP4; truth: truth.csv; site: site.yml."""

    videos: dict[str, Path]
    truth: Path
    site: Path


class SiteWriteError(RuntimeError):
    """A rendering process failed; the message ends with what it said."""


class _Workers:
    """Rendering processes that take one camera after the other."""

    def __init__(self, site_pickle: Path, out: Path, parts: Path, count: int) -> None:
        package_parent = str(Path(__file__).resolve().parent.parent)
        search_path = os.pathsep.join(filter(None, [package_parent, os.environ.get("PYTHONPATH", "")]))
        # One thread each: the processes themselves are the parallelism.
        env = {**os.environ, "PYTHONPATH": search_path, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        self._errors = [parts / f"worker-{i}.log" for i in range(count)]
        command = [sys.executable, "-m", "simulated_site.worker", str(site_pickle), str(out), str(parts)]
        self.processes = []
        self._heard: dict[int, bytes] = {}  # by process id: the start of a line that has not ended yet
        for log in self._errors:
            with log.open("wb") as stderr:
                self.processes.append(
                    subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=env)
                )

    def run(self, names: list[str], progress: Callable[[int], None] | None) -> None:
        waiting = list(names)
        with selectors.DefaultSelector() as selector:
            for process in self.processes:
                selector.register(process.stdout, selectors.EVENT_READ, process)  # type: ignore[arg-type]
                self._hand_out(process, waiting)
            while selector.get_map():
                for key, _ in selector.select():
                    if not self._listen(key.data, waiting, progress):
                        selector.unregister(key.fileobj)
        for process, log in zip(self.processes, self._errors, strict=True):
            if process.wait() != 0:
                raise SiteWriteError(
                    f"rendering ended with {process.returncode}: {log.read_text(errors='replace')[-2000:]}"
                )

    def _hand_out(self, process: subprocess.Popen[bytes], waiting: list[str]) -> None:
        """The next camera, or the end of input."""
        if process.stdin is None or process.stdin.closed:
            return
        try:
            if waiting:
                process.stdin.write(f"{waiting.pop(0)}\n".encode())
                process.stdin.flush()
            else:
                process.stdin.close()
        except BrokenPipeError:
            pass  # it died; its exit status and log tell why, see run

    def _listen(
        self, process: subprocess.Popen[bytes], waiting: list[str], progress: Callable[[int], None] | None
    ) -> bool:
        """Read what one process has said; False at its end. Reads the raw pipe, so that no line waits unseen in a
        buffer.
        """
        data = os.read(process.stdout.fileno(), 65536)  # type: ignore[union-attr]
        *lines, self._heard[process.pid] = (self._heard.get(process.pid, b"") + data).split(b"\n")
        for word, value in (line.decode().split(" ", 1) for line in lines):
            if word == "frames" and progress and int(value):
                progress(int(value))
            if word == "done":
                self._hand_out(process, waiting)
        return bool(data)

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None and not pipe.closed:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()


def _merge_truth(parts: Path, site: Site, path: Path) -> None:
    """One file, ordered by frame, then camera, then person as drawn."""
    rows = []
    for order, name in enumerate(site.cameras):
        for line in (parts / f"{name}.csv").read_text().splitlines():
            rows.append((int(line.split(",", 2)[1]), order, line))
    rows.sort(key=lambda row: row[:2])
    path.write_text("\n".join([",".join(TruthRow._fields), *(line for _, _, line in rows)]) + "\n")


def write_site(
    out: Path, site: Site, *, processes: int = 2, progress: Callable[[int], None] | None = None
) -> SiteFiles:
    """Render every camera into `out` (made if missing; files of these names are replaced).

    progress is called with the number of newly finished frames, from this thread. SiteWriteError where a process fails;
    then, and when interrupted, no process is left behind.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    files = SiteFiles({name: out / f"{name}.mp4" for name in site.cameras}, out / "truth.csv", out / "site.yml")
    with tempfile.TemporaryDirectory(prefix="simulated-site-") as folder:
        parts = Path(folder)
        (parts / "site.pickle").write_bytes(pickle.dumps(site))
        workers = _Workers(parts / "site.pickle", out, parts, max(1, min(processes, len(site.cameras))))
        try:
            workers.run(list(site.cameras), progress)
        finally:
            workers.stop()
        _merge_truth(parts, site, files.truth)
    files.site.write_text(site_document(site))
    return files
