"""R2 from tiles on disk, from wherever it stopped: the Gram matrix, a factor with a small shift, maybe a tight one."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import msgspec
from flint import arb

from verifier.balls.binary64.backend import Array, NotEnclosed
from verifier.balls.exact import upper_float
from verifier.errors import InputError
from verifier.rank.cholesky import Factor, estimate_smallest
from verifier.rank.gram import OVERFLOW, SHIFTS, TOO_SMALL, GramBound, concluded, first_shift, sigma_bound
from verifier.rank.gram_matrix import Gram
from verifier.rank.tiles.bound import factor_of, gram_of
from verifier.rank.tiles.factor_tile import Breakdown
from verifier.rank.tiles.folder import TileRecord, TornTile, whole_file
from verifier.rank.tiles.pace import Pace, Say
from verifier.rank.tiles.tasks import Maker, Task, missing, standing, tasks_of
from verifier.verdict import Verdict

TRIES = 3
"""How often a tile is made before the folder is given up."""

STEPS = 4
"""Steps of the inverse iteration, each of which reads the factor twice."""

OUTCOMES = "outcomes"
"""The file of what is known of factors: SHA-256 of the rest, and a list of `Outcome` as MessagePack."""

SHA_BYTES = 32
"""Length of a SHA-256."""

Done = Callable[[Task], None]
"""Told of a task that is done."""

Run = Callable[[Sequence[Task], Done], None]
"""Does tasks that do not need each other, in any order, and tells of each; one whose needs turn out torn is left."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of a shift: the residual of its factor, or why there is none; an untrusted estimate, NaN if none.

    ``gram`` is the digest of the Gram matrix that it is about.
    """

    gram: str
    shift: float
    residual: float
    estimate: float
    reason: str = ""


@dataclass
class TiledGram:
    """R2 of one problem in one folder.

    Parameters
    ----------
    maker : Maker
        Folder, layout, array library, rows of Psi.
    run : callable, optional
        Does tasks; by default one after the other in this process.
    say : callable, optional
        Told of the progress.
    """

    maker: Maker
    run: Run | None = None
    say: Say = lambda words, fraction, left: None
    made: Counter[str] = field(default_factory=Counter)

    def __call__(self, *, tight: bool = False) -> GramBound:
        """Prove ``rank Psi = N`` and a lower bound of sigma_N by R2.

        Parameters
        ----------
        tight : bool, optional
            Refactor with a shift just below the estimated smallest eigenvalue.

        Returns
        -------
        GramBound
            Guarantee: PROVED implies that every matrix in the enclosure has rank N and ``sigma_N >= sigma_lower > 0``;
            the platform's canary has tested every product that this rests on, where it was made. Source: `bound`.

        Raises
        ------
        InputError
            The folder cannot be written, or loses what is written.
        """
        sizes = self.maker.cut.sizes
        if sizes.samples > sizes.columns:
            reason = f"N = {sizes.samples} exceeds M = {sizes.columns}: the rank is below N"
            return GramBound(Verdict.REFUTED, reason)
        try:
            for _ in range(TRIES):
                try:
                    return self._proved(tight)
                except _Remade:
                    continue
        except NotEnclosed as error:
            return GramBound(Verdict.UNDECIDED, str(error))
        raise self._unreliable()

    def _proved(self, tight: bool) -> GramBound:
        maker = self.maker
        gram, digest = self._gram()
        shift = first_shift(gram, maker.cut.sizes, tight=False)  # the same whether or not a tight one follows
        if not (shift < math.inf and gram.enclosure.is_finite()):
            return GramBound(Verdict.UNDECIDED, OVERFLOW)
        first = self._outcome(gram, digest, shift, estimate=True)
        if first.reason:
            return GramBound(Verdict.UNDECIDED, f"{first.reason}{TOO_SMALL}")
        factor = Factor({}, first.shift, arb(first.residual))
        sigma = sigma_bound(gram, factor)
        if tight and 0.0 < first.estimate < math.inf:
            for share in SHIFTS:
                second = self._outcome(gram, digest, share * first.estimate, estimate=False)
                better = Factor({}, second.shift, arb(second.residual))
                if not second.reason and sigma_bound(gram, better) > sigma:
                    sigma, factor = sigma_bound(gram, better), better
                    break
        peak = maker.cut.memory_bytes
        return concluded(gram, factor, maker.cut.sizes, sigma, first.estimate, peak)

    def _gram(self) -> tuple[Gram, str]:
        """The Gram matrix's errors, and a digest of its tiles, once they are all there."""
        maker = self.maker
        known = self._complete(None, "Gram matrix")
        return gram_of(maker.cut, known, maker.record), self._digest(known)

    def _digest(self, known: Mapping[str, TileRecord]) -> str:
        """A digest of the Gram matrix's tiles."""
        text = "".join(known[task.name].digest for task in tasks_of(self.maker.cut))
        return hashlib.sha256(text.encode()).hexdigest()

    def _complete(self, shift: float | None, what: str) -> dict[str, TileRecord]:
        """Make the tiles that are missing, in rounds, and return the records of all."""
        maker = self.maker
        wanted = tasks_of(maker.cut) + ([] if shift is None else tasks_of(maker.cut, shift))
        pace = Pace({task.name: task.operations(maker.cut) for task in wanted}, self.say, what)
        fruitless = 0

        def done(task: Task) -> None:
            self.made[task.name] += 1
            if self.made[task.name] > TRIES:
                raise self._unreliable()
            pace.done(task)

        while True:
            known = standing(maker.folder, maker.cut, shift)
            ready = missing(wanted, known)
            if not ready:
                return known
            pace.begin(known)
            before = self.made.total()
            if self.run is None:
                self._here(ready, done, pace)
            else:
                self.run(ready, done)
            fruitless = 0 if self.made.total() > before else fruitless + 1
            if fruitless > TRIES:
                raise self._unreliable()

    def _unreliable(self) -> InputError:
        """The error for a disk that loses what is written."""
        words = "tiles are torn again and again: that disk loses what is written; take another folder"
        return InputError(f"{self.maker.folder.path}: {words}")

    def _here(self, tasks: Sequence[Task], done: Done, pace: Pace) -> None:
        """Do tasks in this process."""
        for task in tasks:
            try:
                self.maker.folder.put(task.name, self.maker.write(task, partial(pace.partly, task)))
            except TornTile:
                return
            done(task)

    def _outcome(self, gram: Gram, digest: str, shift: float, *, estimate: bool) -> Outcome:
        """What becomes of a shift, from the folder if it is known."""
        maker = self.maker
        known = self._outcomes(digest)
        for found in known:
            if found.shift == shift:
                return found
        for name in maker.folder.names():  # a factor of another shift only takes room
            if name.startswith("factor") and not name.startswith(f"factor_{shift.hex()}_"):
                maker.folder.discard(name)
        try:
            records, value = self._complete(shift, "Cholesky factor"), None
            while value is None:
                value = self._estimate(shift, records) if estimate else math.nan
                records = self._complete(shift, "Cholesky factor")
            factor = factor_of(maker.cut, records, gram, shift)
            found = Outcome(digest, shift, upper_float(factor.residual), value)
        except Breakdown as error:
            records = self._complete(None, "Gram matrix")
            found = Outcome(digest, shift, math.inf, math.nan, str(error))
        if self._digest(records) != digest:
            raise _Remade
        text = msgspec.msgpack.encode([*known, found])
        content = hashlib.sha256(text).digest() + text
        whole_file(maker.folder.path / OUTCOMES, lambda stream: stream.write(content))
        return found

    def _outcomes(self, digest: str) -> list[Outcome]:
        """What is known of factors of this Gram matrix."""
        try:
            content = (self.maker.folder.path / OUTCOMES).read_bytes()
            found = msgspec.msgpack.decode(content[SHA_BYTES:], type=list[Outcome])
        except (OSError, msgspec.DecodeError):
            return []
        if hashlib.sha256(content[SHA_BYTES:]).digest() != content[:SHA_BYTES]:
            return []
        return [outcome for outcome in found if outcome.gram == digest]

    def _estimate(self, shift: float, records: Mapping[str, TileRecord]) -> float | None:
        """Untrusted estimate of the smallest eigenvalue, from the factor on disk; None if a tile is torn."""
        cut = self.maker.cut

        def column(block: int) -> Iterator[tuple[int, Array]]:
            tile = block // cut.per
            for i in range(tile, cut.tiles):
                task = Task(i, tile, shift)
                yield from self.maker.column(records[task.name], task, block).items()

        self.say("estimate of the smallest eigenvalue", 0.0, math.nan)
        try:
            return estimate_smallest(self.maker.backend, column, cut.edges, shift, STEPS)
        except TornTile:
            return None


class _Remade(Exception):
    """A tile of the Gram matrix was torn and is another one now: what was concluded from the old one is void."""
