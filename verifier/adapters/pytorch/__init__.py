"""PyTorch modules as networks of this package: trace the module, translate each operation, take its weights over.

PyTorch is imported when `verifier.from_torch` is called, never before.
"""
