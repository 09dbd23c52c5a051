"""The paper's experiments: skip networks trained by SGD, beside random features, and what is proved about both.

Needs the extra ``torch``. Nothing here is part of a proof: what SGD finds is a start like any other, and what is said
to be PROVED about it comes from the rooms above.
"""
