"""The tables and sentences that ``verifier bench`` prints."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from verifier.bench.measured import Bench


def print_bench(console: Console, found: Bench) -> None:
    """Print the measurements; the tables fit 80 columns.

    Parameters
    ----------
    console : Console
        Where to.
    found : Bench
        The measurements.
    """
    svd, product = found.ratios["r2_vs_svd"], found.ratios["r2_vs_product"]
    console.print(
        f"On this machine the proof of full rank by R2 takes {svd:.2g} times as long as NumPy's singular values, and "
        f"{product:.2g} times as long as a plain product; the definitions of all ratios are below.",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("ratio (ours / other)", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    for name, value in (*found.ratios.items(), *found.parts.items()):
        style = "bold" if name in found.ratios else "dim"
        table.add_row(f"[{style}]{escape(name)}[/]", f"[{style}]{value:.4g}[/]")
    console.print(table)
    for name in found.definitions:
        console.print(f"[bold]{escape(name)}[/]: {escape(found.definitions[name])}", highlight=False)
    times = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    times.add_column("measurement", no_wrap=True)
    times.add_column("best", justify="right", no_wrap=True)
    times.add_column("of", justify="right", no_wrap=True)
    for name, values in found.seconds.items():
        times.add_row(escape(name), f"{min(values):.4g} s", str(len(values)))
    console.print(times)
    sizes = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for head in ("N", "M", "Gram", "factor", "tight", "full N x N"):
        sizes.add_column(head, justify="right", no_wrap=True)
    for row in found.memory:
        cells = [f"{row[key] / 1e9:.2f} GB" for key in ("gram_bytes", "factor_bytes", "tight_bytes", "full_bytes")]
        sizes.add_row(str(row["samples"]), str(row["columns"]), *cells)
    console.print(sizes)
    limits, peak, path = found.limits, found.peak_bytes, found.path
    powers = ", ".join(f"{name} {value:.2f}" for name, value in found.growth.items())
    lines = [
        f"Growth: {powers}.",
        f"R2 takes {limits['r2_over_bound']:.2f} times its bound of {limits['bound_seconds']:.3g} s at "
        f"{limits['product_flops_per_second'] / 1e9:.3g} Gflop/s "
        f"({limits['r2_without_canary_over_bound']:.2f} without the canary).",
        f"R2 plans {peak['planned'] / 1e6:.0f} MB; the process grew from {peak['before'] / 1e6:.0f} to "
        f"{peak['measured'] / 1e6:.0f} MB at its peak.",
        f"Path of {path['case']} ({path['samples']} samples, {path['units']} units): zero loss "
        f"{path['zero_loss_seconds']:.2f} s, path {path['path_seconds']:.2f} s "
        f"(enclosure {path['enclosure_seconds']:.2f} s before).",
        f"{found.device}, {found.machine['cpus']} processors, Python {found.machine['python']}; "
        f"{found.total_seconds:.0f} s in all.",
    ]
    if found.busy:
        name = found.machine.get("name") or "this machine"
        lines.append(f"Other work ran on {name}: {found.busy}. Measure again when it is idle.")
    for line in lines:
        console.print(escape(line), highlight=False)
