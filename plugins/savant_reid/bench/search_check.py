"""Everything that needs a GPU, in one command: python -m savant_reid.bench.search_check (make gpu-check).

Runs the tests marked gpu, then measures, and prints what belongs into docs/gpu.md. Without a GPU it says so.
"""

from __future__ import annotations

import datetime
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np

from savant_reid.bench.search_table import table
from savant_reid.identity.search.choice import gpu

# Of a driver: there on a PC or a server, and on a Jetson.
_DEVICE_FILES = ("/dev/nvidiactl", "/dev/nvhost-ctrl-gpu", "/dev/nvgpu")
_NOT_HERE = "gpu-check: no NVIDIA GPU here, so nothing was checked ({reason}). docs/gpu.md says what has run on one."


@click.command()
@click.option("--quick", is_flag=True, help="Up to 10,000 rows only.")
@click.option("--no-tests", is_flag=True, help="Measure only.")
def main(quick: bool, no_tests: bool) -> None:
    """Run what is marked gpu and print a table for docs/gpu.md; without a GPU say so and end well."""
    try:
        cupy = gpu()
    except Exception as error:  # no CuPy, no driver, no device: each raises its own
        if not any(Path(file).exists() for file in _DEVICE_FILES):
            click.echo(_NOT_HERE.format(reason=error))
            return
        click.echo(f"gpu-check: an NVIDIA GPU is here, but CuPy cannot use it: {error}", err=True)
        click.echo("Install CuPy for the driver's CUDA: pip install 'cupy-cuda12x[ctk]' (or cupy-cuda13x)", err=True)
        sys.exit(1)
    failed = 0 if no_tests else _tests()
    click.echo(report(cupy, quick))
    sys.exit(failed)


def _tests() -> int:
    """pytest's exit status; 1 where there is no checkout with the tests."""
    folder = Path(__file__).parents[3]
    if not (folder / "tests" / "gpu").is_dir():
        click.echo(f"gpu-check: expected the tests in {folder / 'tests'}: run it in a checkout", err=True)
        return 1
    # Only what is for the GPU, so that a container needs none of what other tests import.
    where = ["tests/gpu", "tests/identity/search", "tests/bench/test_search_figures.py"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "gpu", "-rs", *where], cwd=folder, check=False
    ).returncode


def report(cupy: Any, quick: bool) -> str:
    """Date, device, versions, and the figures."""
    from savant_reid.bench import gpu_gather, search_gpu

    runtime = cupy.cuda.runtime
    about = (
        str(datetime.date.today()),
        runtime.getDeviceProperties(0)["name"].decode(),
        f"CUDA {_version(runtime.runtimeGetVersion())} (driver: {_version(runtime.driverGetVersion())})",
        f"CuPy {cupy.__version__}",
        f"NumPy {np.__version__}",
        f"Python {platform.python_version()}",
    )
    head = f"{', '.join(about)}."
    return "\n".join([head, "", table([*gpu_gather.gpu_figures(), *search_gpu.gpu_figures(quick)])])


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


if __name__ == "__main__":
    main()
