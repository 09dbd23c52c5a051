"""Why an operator has no counterpart, and what to do about it."""

from __future__ import annotations

from typing import Final

_JUMP: Final = "it jumps, and no expression here has a jump"
_RANDOM: Final = "it draws random numbers, so each call is another function; register them as a buffer once"
_CHOICE: Final = (
    "the places that it chooses depend on values; after the head return the logits, before it choose them beforehand "
    "(a buffer of indices)"
)

REASONS: Final[tuple[tuple[str, str], ...]] = (
    ("rand bernoulli dropout multinomial normal_ uniform_ exponential_ rrelu_with_noise", _RANDOM),
    ("conv_transpose transpose_conv", "use an upsampling (nearest) and a convolution, or nn.PixelShuffle"),
    (
        "gt lt ge le eq ne isnan isinf logical bitwise",
        f"{_JUMP}: write torch.relu, torch.maximum or torch.clamp, a mask as a buffer",
    ),
    ("sign floor ceil round trunc frac heaviside fmod remainder", f"{_JUMP}; use a steep tanh, or give the part after"),
    ("argmax argmin topk sort argsort nonzero unique searchsorted bucketize median kthvalue", _CHOICE),
    ("item _local_scalar_dense", "it makes a Python number of values; keep tensors"),
    ("fft _fft stft view_as_complex view_as_real complex polar", "it is complex; write it with real numbers"),
    ("quantize dequantize fake_quant", "it is quantised; give the float module"),
    ("sparse to_sparse _sparse", "it is sparse; give a dense tensor: .to_dense()"),
    ("log log10 log2 log1p logit", "undefined somewhere; write log(1 + t**2), softplus or log-sigmoid"),
    ("tan asin acos atanh acosh", "it is not a real number for every real t"),
    ("_native_batch_norm_legit", "it uses the batch's own statistics; call model.eval(), use running statistics"),
    ("scatter index_put index_add index_copy masked_scatter", "write it as torch.cat or a product with a buffer"),
    ("svd eig qr cholesky inverse det solve lu", "it is linear algebra on values; give the part after it"),
)
"""Beginnings of operators' names, and what is said."""
OTHERWISE: Final = "write it with operators that are (the guide 'From PyTorch' lists them), or give the part after it"


def remedy(name: str) -> str:
    """Say why an operator is not taken over, and what to do.

    Parameters
    ----------
    name : str
        The operator: ``"argmax"``.

    Returns
    -------
    str
        A clause that follows the operator's name in a message.
    """
    if "::" in name or (name.count(".") > 1):
        return "it is an operator of a library of its own; write it with PyTorch's"
    plain = name.partition(".")[0].strip("_")
    for words, reason in REASONS:
        if any(plain.startswith(word.strip("_")) for word in words.split()):
            return reason
    return OTHERWISE
