"""Blocks: sugar that expands into nodes, one class each."""

from __future__ import annotations

from verifier.network.blocks.base import Wired
from verifier.network.blocks.norms import BatchNorm, GroupNorm, LayerNorm, RMSNorm
from verifier.network.blocks.plain import (
    Activate,
    Add,
    Concatenate,
    Flatten,
    Gate,
    GlobalPool,
    Linear,
    MaxPool,
    MeanPool,
    Multiply,
    Permute,
    Reshape,
    Scale,
    Select,
)
from verifier.network.blocks.sequences import (
    GLU,
    GRU,
    Embedding,
    MultiHeadAttention,
    Positional,
    Recurrent,
    SwiGLU,
)
from verifier.network.blocks.weights import LoRA, Masked, Transposed, WeightNorm

BLOCKS: dict[str, type[Wired]] = {
    block.kind: block
    for block in (
        *(Activate, Add, BatchNorm, Concatenate, Embedding, Flatten, GLU, GRU, Gate, GlobalPool, GroupNorm),
        *(LayerNorm, Linear, LoRA, Masked, MaxPool, MeanPool, MultiHeadAttention, Multiply, Permute, Positional),
        *(RMSNorm, Recurrent, Reshape, Scale, Select, SwiGLU, Transposed, WeightNorm),
    )
}
"""Every block by the ``kind`` of its table in a case file, beside dense, conv1d, conv2d and avgpool."""
