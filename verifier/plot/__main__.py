"""Write the paper's figures: ``python -m verifier.plot OUT_DIR [light|dark]``."""

from __future__ import annotations

import sys
from pathlib import Path

from verifier.errors import VerifierError
from verifier.plot.description import save
from verifier.plot.figures import FIGURES
from verifier.plot.style import style

USAGE = "usage: python -m verifier.plot OUT_DIR [light|dark]"


def main(arguments: list[str]) -> int:
    """Write figure1.svg, figure2.svg and figure3.svg to a folder; the exit code."""
    if not 1 <= len(arguments) <= 2 or arguments[0].startswith("-"):
        print(USAGE, file=sys.stderr)
        return 2
    folder, look = Path(arguments[0]), arguments[1] if len(arguments) == 2 else "light"
    try:
        with style(look):  # type: ignore[arg-type]  # an unknown name is refused there
            folder.mkdir(parents=True, exist_ok=True)
            for name, make in FIGURES.items():
                target = folder / f"{name}.svg"
                print(save(make(), target))
    except VerifierError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: cannot write {folder}: {error.strerror}; choose another folder", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
