"""The fast engine: midpoints in binary64, radii as one number per column, on any array library with the array API.

One code for NumPy, CuPy and (in the tests) array-api-strict. Everything rounds to nearest; what is trusted is IEEE-754
binary64 ``+ - * / sqrt`` and inner products evaluated as sums of products in some order, no more; `canary` tests both
on the machine at hand. What this engine cannot enclose it refuses (`NotEnclosed`), and the Arb engine takes over.
"""
