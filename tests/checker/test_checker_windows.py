"""The windows of a layer: the quick way against the definition, place by place."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace

import pytest

from verifier.checker.network import windows_of, windows_of_plain


@pytest.mark.parametrize("seed", range(60))
def test_quick_windows_are_those_of_the_definition(seed):
    random = Random(seed)
    axes, channels = random.choice([1, 2]), random.randint(1, 3)
    extents = [random.randint(1, 6) for _ in range(axes)]
    padding = [random.choice([0, 0, 1, 2, 5]) for _ in extents]
    kernel = (
        [random.randint(p + 1, n + 2 * p) for n, p in zip(extents, padding, strict=True)]
        if all(p + 1 <= n + 2 * p for n, p in zip(extents, padding, strict=True))
        else [1] * axes
    )
    stride = [random.randint(1, 4) for _ in extents]
    sides = zip(extents, kernel, stride, padding, strict=True)
    outs = [(n + 2 * p - k) // s + 1 for n, k, s, p in sides]
    window = SimpleNamespace(extents=extents, kernel=kernel, stride=stride, padding=padding, outs=outs)
    for alone in (False, True):
        assert windows_of(window, channels, alone) == windows_of_plain(window, channels, alone)


def test_a_small_case_by_hand():
    """Two channels of length 3, a kernel of 2 with one zero in front and behind: 6 stands for the padding."""
    window = SimpleNamespace(extents=[3], kernel=[2], stride=[2], padding=[1], outs=[2])
    assert windows_of(window, 2, False) == [[6, 0, 6, 3], [1, 2, 4, 5]]
    assert windows_of_plain(window, 2, True) == [[6, 0], [1, 2], [6, 3], [4, 5]]
