"""The process of the command line: `savant-reid`, or `python -m savant_reid`.

NumPy's libraries share each small product among all cores, which gains nothing at the identity core's sizes and costs
several times the wall clock where other work wants the cores too: the threads wait for each other, spinning. They read
their settings once, when NumPy is first imported, so that nothing that imports it may be imported up here.
"""

from __future__ import annotations

import os

# ONNX Runtime heeds none of these: a module's `threads` is what its models have.
THREAD_SETTINGS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> None:
    """The whole command line; one thread for NumPy's products, unless the user has set something else."""
    for setting in THREAD_SETTINGS:
        os.environ.setdefault(setting, "1")
    from savant_reid.cli import main as command_line
    from savant_reid.monitoring.logs import catch_uncaught

    catch_uncaught()

    command_line(prog_name="savant-reid")


if __name__ == "__main__":
    main()
