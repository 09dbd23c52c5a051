"""Measured speed: the fast engine against what one would use instead, on this machine, in this run.

Every ratio is our seconds divided by the other's, so that smaller is better. A time is the best of a few repetitions
after one that is not counted; nothing is quoted from elsewhere.
"""

from verifier.bench.measured import Bench, BenchError, Sizes, as_json
from verifier.bench.runner import run_bench
from verifier.bench.table import print_bench

__all__ = ["Bench", "BenchError", "Sizes", "as_json", "print_bench", "run_bench"]
