"""Light and dark, contrast, and that matplotlib loads only when it is wanted."""

import itertools
import subprocess
import sys

import matplotlib as mpl
import pytest
from drawn import axes
from matplotlib import colors, pyplot

import verifier as vf
from verifier.errors import InputError
from verifier.plot.style import PALETTES, palette_of


def test_import_verifier_does_not_load_matplotlib():
    code = "import sys, verifier as vf; vf.verify; assert 'matplotlib' not in sys.modules; vf.plot.psi"
    code += "; assert 'plot' in dir(vf) and 'matplotlib' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_style_is_left_as_it_was_found():
    before = dict(mpl.rcParams)
    with vf.plot.style("dark"):
        assert palette_of() is PALETTES["dark"] and palette_of(axes()) is PALETTES["dark"]
    assert dict(mpl.rcParams) == before
    assert palette_of(axes()) is PALETTES["light"]
    with pytest.raises(InputError, match="did you mean 'dark'"), vf.plot.style("darc"):
        pass


def test_colours_follow_the_axes_ground():
    ax = axes()
    ax.set_facecolor("#101010")
    assert palette_of(ax) is PALETTES["dark"]
    ax.set_facecolor("none")
    ax.figure.set_facecolor("none")
    assert palette_of(ax) is PALETTES["light"]  # black text
    with mpl.rc_context({"text.color": "white"}):
        assert palette_of(ax) is PALETTES["dark"]


def _luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colors.to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a, b):
    low, high = sorted((_luminance(a), _luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_text_and_lines_have_contrast(name):
    palette = PALETTES[name]
    assert _contrast(palette.ink, palette.background) > 12
    assert _contrast(palette.muted, palette.background) > 4.5  # text, WCAG AA
    for colour in (palette.main, palette.accent, palette.second):
        assert _contrast(colour, palette.background) > 3  # graphics
    assert len(set(palette.cycle)) == 8


@pytest.mark.parametrize("name", ["light", "dark"])
def test_the_roles_differ_also_for_the_colour_blind(name):
    # Machado, Oliveira, Fernandes (2009), severity 1, on linear RGB.
    machado = {
        "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
        "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    }
    palette = PALETTES[name]
    for matrix in machado.values():
        seen = []
        for colour in (palette.main, palette.accent, palette.second):
            linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colors.to_rgb(colour)]
            seen.append([sum(a * c for a, c in zip(row, linear, strict=True)) for row in matrix])
        for a, b in itertools.combinations(seen, 2):
            assert sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5 > 0.1


def test_new_axes_are_one_pyplot_figure_and_given_ones_none(small):
    vf.plot.psi(small.features, axes())
    assert not pyplot.get_fignums()
    ax = vf.plot.psi(small.features)
    assert len(pyplot.get_fignums()) == 1 and ax.figure is pyplot.gcf()
    with pytest.raises(InputError, match="no matplotlib axes"):
        vf.plot.psi(small.features, "axes")
