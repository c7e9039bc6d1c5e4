"""The command line: each command parses, calls one function, prints. Imports wait until they are needed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from savant_reid import __version__
from savant_reid.bench.command import bench_command
from savant_reid.calibration.command import calibrate_command
from savant_reid.command_errors import plain_errors
from savant_reid.command_output import progress_bar, score_lines, told_of_refused, video_clock
from savant_reid.errors import SavantReidError
from savant_reid.evaluation.command import evaluate_command
from savant_reid.gallery.decisions_command import gallery_command
from savant_reid.hosts.local.rtsp_options import rtsp_options
from savant_reid.monitoring import logs
from savant_reid.monitoring.options import log_format_option, metrics_options
from savant_reid.packaged import packaged_models, packaged_module
from savant_reid.replay.command import replay_command
from savant_reid.report.topology_command import topology_group
from savant_reid.sinks.options import output_options

if TYPE_CHECKING:
    from savant_reid.hosts.local.rtsp_server import RtspRequest
    from savant_reid.monitoring.watch import MetricsRequest
    from savant_reid.sinks.outputs import Outputs


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("-v", "--verbose", is_flag=True, help="Say more on standard error.")
def main(verbose: bool) -> None:
    """One person, one identity, on every camera."""
    logs.configure(logging.DEBUG if verbose else logging.INFO)


main.add_command(evaluate_command)
main.add_command(gallery_command)
main.add_command(bench_command)
main.add_command(calibrate_command)
main.add_command(replay_command)
main.add_command(topology_group)


@main.command("run")
@click.argument("module", type=click.Path(path_type=Path))
@click.option("--source", "sources", multiple=True, metavar="CAMERA=URI", help="A video file or rtsp:// address.")
@click.option("--site", type=click.Path(path_type=Path), help="Cameras, topology, policy (default: the module's).")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for everything the run writes.")
@click.option("--force", is_flag=True, help="Replace the run that --out holds.")
@click.option("--truth", type=click.Path(path_type=Path), help="Score the result against this truth file.")
@rtsp_options
@click.option("--no-videos", is_flag=True, help="Write no overlay-*.mp4 and mosaic.mp4.")
@output_options
@metrics_options
@log_format_option
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the module.")
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json when done.")
def run_command(
    module: Path,
    sources: Sequence[str],
    site: Path | None,
    out: Path,
    force: bool,
    truth: Path | None,
    rtsp: Callable[[], RtspRequest | None],
    no_videos: bool,
    outputs: Callable[[], Outputs],
    metrics: Callable[[], MetricsRequest | None],
    overrides: Sequence[str],
    as_json: bool,
) -> None:
    """Run MODULE (a module.yml) on files or RTSP streams; sources default to those of the site file."""
    with plain_errors("local,demo"):
        from savant_reid.run import RunRequest, run

        pairs = _cameras(sources)
        with _progress(out.name) as progress:
            request = RunRequest(
                module,
                out,
                pairs,
                site=site,
                truth=truth,
                force=force,
                rtsp=rtsp(),
                overrides=dict(_key_value(text) for text in overrides),
                progress=progress,
                outputs=outputs(),
                metrics=metrics(),
                videos=not no_videos,
            )
            figures = run(request)
    _conclude(out, figures, as_json)


@main.command("demo")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--cameras", default=4, show_default=True, type=click.IntRange(1, 12))
@click.option("--people", default=12, show_default=True, type=click.IntRange(1, 100))
@click.option("--seconds", default=90.0, show_default=True, type=click.FloatRange(5, 3600))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for everything the run writes.")
@click.option("--force", is_flag=True, help="Replace the run that --out holds.")
@rtsp_options
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json when done.")
def demo_command(
    seed: int,
    cameras: int,
    people: int,
    seconds: float,
    out: Path,
    force: bool,
    rtsp: Callable[[], RtspRequest | None],
    as_json: bool,
) -> None:
    """Simulate a site with cameras and people, and give every person one identity on all of them."""
    with plain_errors("local,demo"):
        from savant_reid.demo import SITE_FOLDER, prepare_demo_folder, simulate
        from savant_reid.run import RunRequest, run

        watched = rtsp()  # what is wrong with it is said before anything is done
        prepare_demo_folder(out, force)
        with progress_bar("simulating", "frame") as bar:
            files = simulate(out / SITE_FOLDER, seed, cameras, people, seconds, bar)
        with _progress("identifying") as progress:
            request = RunRequest(
                packaged_module(),
                out,
                [(camera, str(video)) for camera, video in files.videos.items()],
                site=files.site,
                truth=files.truth,
                force=force,
                rtsp=watched,
                overrides=packaged_models(),
                progress=progress,
            )
            metrics = run(request)
    _conclude(out, metrics, as_json)


@main.command("report")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def report_command(folder: Path) -> None:
    """Write report.html of a run FOLDER again."""
    with plain_errors("local,demo"):
        from savant_reid.report import write_report

        click.echo(write_report(folder))


@contextmanager
def _progress(title: str) -> Iterator[Callable[[Sequence[Any]], None]]:
    """A progress bar that counts frames and shows how far the video has come."""
    with progress_bar(title, "frame") as bar:
        show = video_clock(bar)

        def advance(frames: Sequence[Any]) -> None:
            bar.update(len(frames))
            show(frames[-1].time_ns)

        yield advance


def _cameras(texts: Sequence[str]) -> list[tuple[str, str]]:
    """CAMERA=URI arguments as pairs. Mistakes of the command line end with click's status 2."""
    from savant_reid.camera_names import check_camera_names
    from savant_reid.hosts.local.sources import parse_source

    try:
        pairs = [parse_source(text) for text in texts]
        check_camera_names(camera for camera, _ in pairs)
    except SavantReidError as error:
        raise click.BadParameter(str(error), param_hint="--source") from error
    return pairs


def _key_value(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise click.BadParameter(f"expected KEY=VALUE, found {text!r}", param_hint="--set")
    return key, value


def _conclude(out: Path, metrics: dict[str, Any], as_json: bool) -> None:
    """The answer in a few lines on standard error, or all of it as JSON on standard output."""
    if as_json:
        click.echo(json.dumps(metrics))
    lines = [
        f"{metrics['frames']} frames of {len(metrics['cameras'])} cameras in {metrics['wall_seconds']:.1f} s "
        f"({metrics['frames_per_second']:.0f} frames/s), {metrics['identity']['identities']} identities"
    ]
    lines += score_lines(metrics)
    lines += told_of_refused(metrics)
    drops = sum(sum(camera["drops"].values()) for camera in metrics["cameras"].values())
    lines.append(f"{drops} frames dropped" if drops else "no frame was dropped")
    if metrics["stopped_early"]:
        lines.append("stopped before the end")
    lines.append(f"report: {out / 'report.html'}")
    logs.say(lines)
