"""What a search costs, against the least it could cost: python -m savant_reid.bench.search [--gpu] [--json]."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import click

Figure = dict[str, object]
# Read once, when NumPy's and FAISS's libraries are loaded: hence a process of its own.
_ONE_CORE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def measure(quick: bool = False, gpu: bool = False) -> list[Figure]:
    """The figures, each {what, value, unit, ...}.

    On the CPU: processor time of one core, the least of several runs, in a process of its own; under a minute, and
    `quick` leaves out most of it. `gpu` measures the first NVIDIA GPU instead, the median of the wall clock's time, and
    raises what CuPy raises where there is none.
    """
    if gpu:
        from savant_reid.bench.search_gpu import gpu_figures

        return gpu_figures(quick)
    command = [sys.executable, "-m", "savant_reid.bench.search_cpu", *(["quick"] if quick else [])]
    output = subprocess.run(command, env=os.environ | _ONE_CORE, stdout=subprocess.PIPE, check=True).stdout
    figures: list[Figure] = json.loads(output)
    return figures


@click.command()
@click.option("--gpu", is_flag=True, help="The search on the first NVIDIA GPU (needs CuPy).")
@click.option("--quick", is_flag=True, help="Only what takes a few seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(gpu: bool, quick: bool, as_json: bool) -> None:
    """What a search over 1,000 to 100,000 (GPU: 1,000,000) rows costs, and the least it could cost."""
    figures = measure(quick, gpu)
    if as_json:
        click.echo(json.dumps(figures, indent=1))
        return
    for figure in figures:
        click.echo(f"{figure['what']}: {figure['value']:.4g} {figure['unit']}")
        for name, value in figure.items():
            if name not in ("what", "value", "unit"):
                click.echo(f"    {name}: {value}")


if __name__ == "__main__":
    main()
