"""What the checker says when it does not accept, and the account of work that stops a hostile file.

Glossary: a *path* is the JSON path of what is wrong, a *rule* the obligation that fails (see FORMAT.md).
"""

from __future__ import annotations

MAX_WORK = 2 * 10**12  # multiply-adds of 64-bit words
MAX_MEMORY = 1 << 28  # 64-bit words


class Rejection(Exception):
    """A certificate is not accepted: where, by which rule, why, what it claims and what was computed."""

    def __init__(self, path: str, rule: str, message: str, claimed: object = None, computed: object = None) -> None:
        super().__init__(path, rule, message, claimed, computed)
        self.path, self.rule, self.message, self.claimed, self.computed = path, rule, message, claimed, computed


def require(holds: bool, path: str, rule: str, message: str, claimed: object = None, computed: object = None) -> None:
    """Guarantee: on return `holds` is true; write it so that NaN makes it false."""
    if not holds:
        raise Rejection(path, rule, message, claimed, computed)


class Budget:
    """Work and memory are counted, over the whole certificate, before they are spent."""

    def __init__(self) -> None:
        self.work = self.memory = 0

    def spend(self, path: str, work: int = 0, memory: int = 0) -> None:
        """Count multiply-adds of words, and words; reject what is above the checker's limits."""
        self.work, self.memory = self.work + work, self.memory + memory
        message = "too much for this checker; split the certificate or make the problem smaller"
        require(self.work <= MAX_WORK, path, "container.limits", f"work: {message}", self.work, MAX_WORK)
        require(self.memory <= MAX_MEMORY, path, "container.limits", f"memory: {message}", self.memory, MAX_MEMORY)


def words(bits: int) -> int:
    """Return the number of 64-bit words that hold so many bits."""
    return bits // 64 + 1
