"""The benchmark's figures as a table for a README and as a plot."""

import io
from pathlib import Path
from typing import Any

from benchmarks.machine import SPEEDS, STACKS, expected_s
from nodegen.io.files import write_bytes

QUIET = 0.9  # share of a thread's time for which it has the processor

QUIET = 0.9  # share of a thread's time for which it has the processor


def table(figures: dict[str, Any]) -> str:
    """A Markdown table of the main figures.

    Beside times stands their worth: GFLOP of plain convolution that one thread does meanwhile.
    """
    generators, methods = figures["generators"], figures["methods_ms"]
    speed = figures["convolution_gflops"]
    lines = [
        f"{figures['machine']}, of which {figures['cpus']} may be used; torch {figures['torch']}; "
        f"a plain convolution on one thread: {speed:.0f} GFLOP/s. On a machine of another speed, a "
        "time is its worth in GFLOP over that machine's GFLOP/s.",
        *_busy(figures),
        "",
        "| one box, side in px | " + " | ".join(generators) + " |",
        "|---|" + "---|" * len(generators),
    ]

    def row(name: str, values: list[str]) -> None:
        lines.append(f"| {name} | " + " | ".join(values) + " |")

    for kind in ("full", "exact", "default"):
        row(
            f"generators, {kind} windows, ms",
            [f"{g[f'{kind}_ms']:.0f}" for g in generators.values()],
        )
    row("speed-up, exact", [f"{g['speedup_exact']:.2f}" for g in generators.values()])
    row("speed-up, default", [f"{g['speedup_windowed']:.2f}" for g in generators.values()])
    for method, values in methods.items():
        row(f"{method}, whole box, ms", [f"{v:.1f}" for v in values.values()])
    row("organisers' steps from 3D, ms", [f"{v:.0f}" for v in figures["baseline_ms"].values()])
    steps = figures["steps_ms"]
    lines += [
        "",
        "| a slice of 1024 x 1024, one box | ms | worth, GFLOP |",
        "|---|---|---|",
        *(
            f"| {step.replace('_', ' ')} | {value:.1f} | {value * speed / 1000:.1f} |"
            for step, value in steps.items()
        ),
        f"| **everything but the generators** | **{figures['fixed_ms_per_slice']:.0f}** | "
        f"**{figures['fixed_ms_per_slice'] * speed / 1000:.1f}** |",
        "",
        "| workers | boxes a second | efficiency | CPU ms a box |",
        "|---|---|---|---|",
        *(_workers(number, w) for number, w in figures["workers"].items()),
        "",
        "| stack, slices | " + " | ".join(figures["stack_s"]) + " |",
        "|---|" + "---|" * len(figures["stack_s"]),
    ]
    row("seconds, start included", [f"{v:.1f}" for v in figures["stack_s"].values()])
    row("peak memory, MiB", [f"{v:.0f}" for v in figures["peak_mib"].values()])
    row("of which the stack, MiB", [f"{v:.0f}" for v in figures["stack_mib"].values()])
    lines += [
        "",
        f"{figures['saving_slices']} slices take {figures['saving_s']:.1f} s, and "
        f"{figures['saving_full_unfolded_s']:.1f} s with the whole crop computed and batch norm "
        f"not folded in: {figures['speedup_stack']:.1f} times as long. "
        f"Start to the first slice's end {figures['startup_s']:.1f} s, `--help` "
        f"{figures['help_s']:.2f} s; {figures['s_per_slice']:.2f} s for each further slice "
        f"({figures['boxes_per_slice']:.1f} boxes a slice). The windows of a 54 px box need "
        f"{figures['window_gflop']:.0f} GFLOP; the generators reach "
        f"{figures['reached_gflops']:.0f} GFLOP/s, {figures['peak_fraction']:.0%} of plain "
        f"convolutions of the same shapes ({figures['peak_gflops']:.0f} GFLOP/s).",
    ]
    return "\n".join([*lines, "", *_expected(figures)])


def _busy(figures: dict[str, Any]) -> list[str]:
    """A warning where the machine had other work, and so its times are not those of its own."""
    left = figures["convolution_gflops"] / figures["convolution_gflops_by_cpu"]
    if left > QUIET:
        return []
    return [
        "",
        f"**Other work took {1 - left:.0%} of the processor meanwhile.** Of these figures, only "
        "those in CPU time and the ratios hold.",
    ]


def _workers(number: str, figures: dict[str, float]) -> str:
    return (
        f"| {number} | {figures['boxes_per_s']:.2f} | {figures['efficiency']:.0%} | "
        f"{figures['cpu_ms_per_box']:.0f} |"
    )


def _expected(figures: dict[str, Any]) -> list[str]:
    """What to expect here and elsewhere, as a table."""
    here = figures["convolution_gflops"], figures["cpus"]
    machines = [here, *((speed, cpus) for speed in SPEEDS for cpus in (1, 2))]
    sizes = " | ".join(f"{n} slice{'s' * (n > 1)}, {boxes} boxes" for n, boxes in STACKS)
    return [
        f"| what to expect, s | {sizes} |",
        "|---|" + "---|" * len(STACKS),
        *(
            f"| {'this machine: ' if i == 0 else ''}{speed:.0f} GFLOP/s, {cpus} "
            f"worker{'s' * (cpus > 1)} | "
            + " | ".join(f"{expected_s(figures, *size, speed, cpus):.1f}" for size in STACKS)
            + " |"
            for i, (speed, cpus) in enumerate(machines)
        ),
    ]


def plot(figures: dict[str, Any], path: Path) -> None:
    """Save the cost against box size and stack size as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    generators = figures["generators"]
    sides = [int(side) for side in generators]
    for kind in ("full", "exact", "default"):
        left.plot(
            sides, [g[f"{kind}_ms"] for g in generators.values()], "o-", label=f"generators, {kind}"
        )
    left.plot(
        sides, list(figures["baseline_ms"].values()), "k--", label="organisers' steps, whole box"
    )
    left.set(xlabel="side of the box, px", ylabel="ms a box")
    left.set_ylim(0, 1.4 * left.get_ylim()[1])  # room for the legend
    left.legend(frameon=False, loc="upper left")
    counts = [int(count) for count in figures["stack_s"]]
    right.plot(counts, list(figures["stack_s"].values()), "o-", color="tab:blue")
    right.set(xlabel="slices in the stack", ylabel="seconds", ylim=(0, None))
    memory = right.twinx()
    memory.plot(counts, list(figures["peak_mib"].values()), "s--", color="tab:orange")
    memory.plot(counts, list(figures["stack_mib"].values()), ":", color="tab:orange")
    memory.annotate(
        "the stack itself",
        (counts[-1], figures["stack_mib"][str(counts[-1])]),
        xytext=(0, 6),
        textcoords="offset points",
        ha="right",
        color="tab:orange",
    )
    memory.set_ylim(0, None)
    memory.set_ylabel("peak memory, MiB", color="tab:orange")
    for axis in (left, right, memory):
        axis.spines["top"].set_visible(False)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=120, format="png")
    write_bytes(path, drawn.getvalue())
    pyplot.close(figure)
