"""The middle engine: numbers as unevaluated sums of two binary64 numbers, about 104 bits, on any array library.

Slower than `verifier.balls.binary64`, faster than Arb. Trusted is what the binary64 engine trusts, no more: IEEE-754
``+ - * /`` to nearest, one call of the library each, and matrix products as sums of products in some order.
"""
