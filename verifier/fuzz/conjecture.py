"""Conjectures of your own: a Python file with a function of a specimen that returns a verdict.

The function says ``REFUTED`` for a counterexample, ``PROVED`` where the conjecture holds, ``UNDECIDED`` where nothing
is known; or a pair of the verdict and a reason. Its docstring is the conjecture. A function ``specimens`` in the file,
if there is one, returns the strategy to draw from.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis.strategies import SearchStrategy

from verifier.display import count
from verifier.errors import InputError, VerifierError, nearest, one_line
from verifier.fuzz.properties.core import Falsified, Property
from verifier.fuzz.search import DEFAULT_EXAMPLES, SearchResult, search
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import specimens
from verifier.fuzz.table import counted
from verifier.rank.certify import Stage, silent
from verifier.verdict import Verdict

SHIPPED = Path(__file__).with_name("conjectures")
"""Worked conjectures, which the command line also finds by their names."""


@dataclass(frozen=True)
class Conjecture:
    """A function from specimens to verdicts."""

    function: Callable[[Specimen], Any]
    where: str

    def __call__(self, specimen: Specimen) -> str:
        """Evaluate the conjecture at a specimen, as a property's check.

        Raises
        ------
        Falsified
            The verdict is REFUTED, or the function raised it.
        InputError
            The function raised something, or returned no verdict.
        """
        try:
            found = self.function(specimen)
        except Falsified:
            raise
        except VerifierError as error:
            return f"UNDECIDED ({type(error).__name__})"
        except Exception as error:
            line = traceback.extract_tb(error.__traceback__)[-1]
            message = f"{self.where} raised {type(error).__name__}: {one_line(str(error))}"
            raise InputError(f"{message} in {Path(line.filename).name}, line {line.lineno}") from None
        verdict, reason = found if isinstance(found, tuple) and len(found) == 2 else (found, "")
        if not isinstance(verdict, Verdict):
            raise InputError(
                f"{self.where} returned {one_line(verdict)}; return a verifier.Verdict, or a pair of one and a reason"
            )
        if verdict is Verdict.REFUTED:
            raise Falsified(str(reason) or "the conjecture's function says REFUTED")
        return str(verdict)


def shipped() -> dict[str, Path]:
    """The worked conjectures by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.py"))}


def falsify(
    conjecture: Callable[[Specimen], Any],
    strategy: SearchStrategy[Specimen] | None = None,
    *,
    examples: int = DEFAULT_EXAMPLES,
    seed: int = 0,
    folder: str | Path | None = None,
    stage: Stage = silent,
) -> SearchResult:
    """Search for a counterexample of a conjecture, and shrink it: ``verifier fuzz --conjecture`` for a function.

    Parameters
    ----------
    conjecture : callable
        Takes a specimen and returns a `Verdict`, or a pair of one and a reason; its docstring is the statement.
    strategy : SearchStrategy, optional
        Draws specimens, by default all kinds.
    examples, seed
        How many are drawn, and with which seed.
    folder : str or Path, optional
        Where the counterexample's case file is written; by default nothing is.
    stage : callable, optional
        Told how many examples there were and what was found in them; see `verifier.progress`.

    Returns
    -------
    SearchResult
        Without a counterexample: none was found, which proves nothing.

    Raises
    ------
    InputError
        The function raises something or returns no verdict; the strategy fails to draw.
    """
    if strategy is not None and not isinstance(strategy, SearchStrategy):
        raise InputError(f"strategy = {one_line(strategy)}: give a Hypothesis strategy, such as fuzz.specimens()")
    name = getattr(conjecture, "__name__", "conjecture")
    words = " ".join((conjecture.__doc__ or name).split())
    drawn = specimens() if strategy is None else strategy
    where = None if folder is None else Path(folder)
    check = Conjecture(conjecture, f"{name}()")

    def watch(done: int, outcomes: Mapping[str, int]) -> None:
        stage(f"{done} of {count(examples, 'example')}: {counted(outcomes)}")

    title = name.replace("_", "-")
    return search(title, words, drawn, check, examples=examples, seed=seed, folder=where, watch=watch)


def load_conjecture(name: str) -> Property:
    """Load a conjecture from a file, or a shipped one by its name.

    Parameters
    ----------
    name : str
        ``FILE.py``, ``FILE.py:function`` (default ``conjecture``), or a shipped one's name in place of the file.

    Returns
    -------
    Property
        Its name, docstring, strategy and check.

    Raises
    ------
    InputError
        There is no such file or function, or the file cannot be imported.
    """
    file, _, function = name.partition(":")
    path = Path(file)
    if not path.suffix and not path.exists():
        if file not in shipped():
            raise InputError(
                f"--conjecture {file}: no such file, and no shipped conjecture; {nearest(file, shipped())}"
            )
        path = shipped()[file]
    module = _module(path)
    chosen = getattr(module, function or "conjecture", None)
    if not callable(chosen):
        there = [key for key, value in vars(module).items() if _is_own(value, module)]
        raise InputError(f"{path} has no function {function or 'conjecture'!r}; it has {', '.join(there) or 'none'}")
    words = " ".join((chosen.__doc__ or f"{path.stem}: {chosen.__name__}").split())
    title = path.stem if chosen.__name__ == "conjecture" else f"{path.stem}-{chosen.__name__}"
    strategy = _strategy(path, getattr(module, "specimens", specimens))
    return Property(
        title.replace("_", "-"), words, lambda: strategy, Conjecture(chosen, f"{path.name}:{chosen.__name__}")
    )


def _strategy(path: Path, function: Any) -> SearchStrategy[Specimen]:
    try:
        strategy = function()
    except Exception as error:
        raise InputError(f"{path}: specimens() raised {type(error).__name__}: {one_line(str(error))}") from None
    if not isinstance(strategy, SearchStrategy):
        raise InputError(f"{path}: specimens() returned {one_line(strategy)}; return a Hypothesis strategy")
    return strategy


def _is_own(value: object, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _module(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"--conjecture {path}: no such file; write a Python file with a function conjecture(specimen)")
    spec = importlib.util.spec_from_file_location(f"conjecture_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"--conjecture {path}: not a Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # nothing is left beside the user's file
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{path} cannot be imported: {type(error).__name__}: {one_line(str(error))}") from None
    finally:
        sys.dont_write_bytecode = written
    return module
