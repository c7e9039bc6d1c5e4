"""Simulated cameras on RTSP: something to try the sample with where no camera is at hand.

Draws a site into a folder (once), then plays its videos over and over, all cameras in step, and writes a site.yml whose
sources are the RTSP addresses. Run it from the repository's root:

    .venv/bin/python samples/multi_rtsp/serve_cameras.py
"""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import click
import yaml

from savant_reid.command_errors import plain_errors
from savant_reid.errors import OutputError
from savant_reid.hosts.local.batcher import Batcher
from savant_reid.hosts.local.rtsp_server import RtspServer
from savant_reid.hosts.local.sources import open_sources
from savant_reid.interrupts import stop_on_signal
from simulated_site.site import make_site
from simulated_site.write import SiteWriteError, write_site

FPS = 10


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--out", default="runs/cameras", show_default=True, type=click.Path(path_type=Path), help="Folder.")
@click.option("--host", default="127.0.0.1", show_default=True, help="By what name clients reach this machine.")
@click.option("--port", default=8555, show_default=True, type=click.IntRange(1, 65535))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--cameras", default=4, show_default=True, type=click.IntRange(1, 12))
@click.option("--people", default=12, show_default=True, type=click.IntRange(1, 100))
@click.option(
    "--seconds", default=120.0, show_default=True, type=click.FloatRange(5, 3600), help="Until it begins anew."
)
def main(out: Path, host: str, port: int, seed: int, cameras: int, people: int, seconds: float) -> None:
    """Serve a simulated site's cameras over RTSP until interrupted."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with plain_errors("local,demo"):
        folder = _draw(out, seed, cameras, people, seconds)
        site = yaml.safe_load((folder / "site.yml").read_text(encoding="utf-8"))
        videos = {camera: str(folder / f"{camera}.mp4") for camera in site["cameras"]}
        # A name of this machine alone is served to it alone.
        address = "127.0.0.1" if host in ("127.0.0.1", "localhost") else "0.0.0.0"
        server = RtspServer(port, list(videos), host=address, fps=FPS)
        try:
            for camera in videos:
                site["cameras"][camera]["source"] = f"rtsp://{host}:{server.port}/{quote(camera)}"
                click.echo(site["cameras"][camera]["source"])
            (out / "site.yml").write_text(yaml.safe_dump(site, sort_keys=False, allow_unicode=True), encoding="utf-8")
            click.echo(f"site: {out / 'site.yml'}")
            _play(server, list(videos.items()))
        finally:
            server.stop()


def _draw(out: Path, seed: int, cameras: int, people: int, seconds: float) -> Path:
    """The folder of this very site. Drawn only where it has not been before: it takes some minutes."""
    folder = out / f"seed{seed}-{cameras}x{people}-{seconds:g}s"
    if not (folder / "site.yml").exists():  # what is written last
        click.echo(f"drawing {seconds:g} s of {cameras} cameras into {folder}, once")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_site(folder, make_site(seed, cameras=cameras, people=people, seconds=seconds, fps=FPS))
        except (SiteWriteError, OSError) as error:
            raise OutputError(f"{folder}: the simulated cameras cannot be written: {error}") from error
    return folder


def _play(server: RtspServer, pairs: list[tuple[str, str]]) -> None:
    """Until interrupted. All cameras begin anew together: people are elsewhere then, as if a cut had been made."""
    stopping: list[bool] = []
    with stop_on_signal(lambda: stopping.append(True), logging.warning):
        while not stopping:
            with closing(Batcher(open_sources(pairs, realtime=True))) as batcher:
                for batch in batcher:
                    for frame in batch:
                        server.push(frame.camera, frame.image)
                    if stopping:
                        return


if __name__ == "__main__":
    main()
