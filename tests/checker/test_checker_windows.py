"""The windows of a layer: the quick way against the definition, place by place."""

from __future__ import annotations

import itertools
import math
from random import Random
from types import SimpleNamespace

import pytest

from verifier.checker.geometry import extent_of, windows_of


def windows_of_plain(window, groups):
    """Return what `windows_of` returns, place by place: the definition."""
    found = []
    for channels in groups:
        windows = []
        for position in itertools.product(*(range(out) for out in window.outs)):
            places = []
            for channel in channels:
                for offset in itertools.product(*(range(k) for k in window.kernel)):
                    index, inside = channel, True
                    for n, s, p, d, at, q in zip(
                        *(window.extents, window.stride, window.padding, window.dilation, position, offset), strict=True
                    ):
                        coordinate = at * s + q * d - p
                        inside = inside and 0 <= coordinate < n
                        index = index * n + coordinate
                    places.append(index if inside else groups[-1].stop * math.prod(window.extents))
            windows.append(places)
        found.append(windows)
    return found


@pytest.mark.parametrize("seed", range(60))
def test_quick_windows_are_those_of_the_definition(seed):
    random = Random(seed)
    axes, channels = random.choice([1, 2, 3]), random.randint(1, 3)
    extents = [random.randint(1, 6) for _ in range(axes)]
    padding = [random.choice([0, 0, 1, 2, 5]) for _ in extents]
    kernel = (
        [random.randint(p + 1, n + 2 * p) for n, p in zip(extents, padding, strict=True)]
        if all(p + 1 <= n + 2 * p for n, p in zip(extents, padding, strict=True))
        else [1] * axes
    )
    stride = [random.randint(1, 4) for _ in extents]
    dilation = [random.randint(1, 3) for _ in extents]
    lengths = [n + 2 * p for n, p in zip(extents, padding, strict=True)]
    dilation = [d if extent_of(k, d) <= n else 1 for d, k, n in zip(dilation, kernel, lengths, strict=True)]
    sides = zip(lengths, kernel, dilation, stride, strict=True)
    outs = [(n - extent_of(k, d)) // s + 1 for n, k, d, s in sides]
    window = SimpleNamespace(
        extents=extents, kernel=kernel, stride=stride, padding=padding, dilation=dilation, outs=outs
    )
    for groups in ([range(channels)], [range(channel, channel + 1) for channel in range(channels)]):
        assert windows_of(window, groups) == windows_of_plain(window, groups)


def test_a_small_case_by_hand():
    """Two channels of length 3, a kernel of 2 with one zero in front and behind: 6 stands for the padding."""
    window = SimpleNamespace(extents=[3], kernel=[2], stride=[2], padding=[1], dilation=[1], outs=[2])
    assert windows_of(window, [range(2)]) == [[[6, 0, 6, 3], [1, 2, 4, 5]]]
    assert windows_of_plain(window, [range(1), range(1, 2)]) == [[[6, 0], [1, 2]], [[6, 3], [4, 5]]]


def test_a_dilated_window_by_hand():
    window = SimpleNamespace(extents=[4], kernel=[2], stride=[1], padding=[1], dilation=[2], outs=[4])
    assert windows_of(window, [range(1)]) == [[[4, 1], [0, 2], [1, 3], [2, 4]]]
