"""The figures of a GPU as Markdown, for docs/gpu.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from savant_reid.bench.search_cpu import CAMERAS, REACHABLE
from savant_reid.bench.search_gpu import CHANGED, PROBES, Figure

_HEAD = (
    "search",
    "rows",
    *(f"{probes} probe{'s' * (probes > 1)}, ms (floor)" for probes in PROBES),
    *(f"{REACHABLE} of {CAMERAS} cameras (all), {probes} probe{'s' * (probes > 1)}, ms" for probes in (1, 64)),
    f"{CHANGED} rows changed, ms",
    "all taken in, ms",
    "as the oracle",
)


def table(figures: Sequence[Figure]) -> str:
    """What was measured, one line for each search and number of rows; other figures as a list before it."""
    lines = [
        f"- {one['what']}: {_number(one['value'])} {one['unit']}{_rest(one)}" for one in figures if "rows" not in one
    ]
    by_line: dict[tuple[Any, Any], dict[str, Figure]] = {}
    for one in figures:
        if "rows" in one:
            by_line.setdefault((one["search"], one["rows"]), {})[str(one["case"])] = one
    cells = [_line(name, rows, cases) for (name, rows), cases in sorted(by_line.items(), key=lambda line: str(line[0]))]
    cells.sort(key=lambda line: (line[0], int(line[1].replace(",", ""))))
    return "\n".join([*lines, "", *(f"| {' | '.join(line)} |" for line in (_HEAD, ["---"] * len(_HEAD), *cells))])


def _line(name: str, rows: int, cases: dict[str, Figure]) -> list[str]:
    def value(case: str, beside: str = "") -> str:
        one = next((figure for what, figure in cases.items() if what.startswith(case)), None)
        if one is None:
            return ""
        baseline: Any = one.get("baseline", {})
        more = one.get(beside) or baseline.get(beside)
        return _number(one["value"]) + (f" ({_number(more)})" if more else "")

    scans = [one for one in cases.values() if "same_as_oracle" in one]
    return [
        name,
        f"{rows:,}",
        *(value(f"{probes} probes", "floor") for probes in PROBES),
        *(value(f"{REACHABLE} of {CAMERAS} cameras, {probes} probes", "all cameras, ms") for probes in (1, 64)),
        value(f"{CHANGED} changed"),
        value("all taken in"),
        "yes" if scans and all(one["same_as_oracle"] for one in scans) else "NO",
    ]


def _rest(figure: Figure) -> str:
    rest = [f"{name} {value}" for name, value in figure.items() if name not in ("what", "value", "unit")]
    return f" ({', '.join(rest)})" if rest else ""


def _number(value: object) -> str:
    number = float(str(value))
    return f"{number:,.0f}" if number >= 100 else f"{number:.2g}"
