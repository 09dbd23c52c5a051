"""Activations: their expressions, what is proved of them, and the kernels that compute them."""
