"""What ``--help`` lists: every command in one whole row, in the order in which a newcomer needs them; its arguments."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

SECTIONS: dict[str, dict[str, str]] = {
    "Prove": {
        "init": "Write a sample case file with every key explained",
        "run": "Prove all statements about your cases; alone: the main job",
        "rank": "Prove the rank of the features, or all singular values",
        "path": "Prove a path from the start of a case to zero loss",
        "witness": "Construct weights at which the features have full rank",
        "architecture": "Prove what holds for every data set, without data",
        "matrix": "Prove rank and singular values of a matrix of your own",
    },
    "Two networks, and minima": {
        "connect": "Join two networks by a path without a barrier",
        "minimum": "Find a strict local minimum, and prove it; is it bad?",
    },
    "Certificates": {
        "check": "Check certificates by the independent checker",
        "show": "Say in words what a certificate claims",
        "formal": "Write a small certificate as theorems of Coq, with proofs",
        "report": "Write the HTML page of a run again",
    },
    "Study": {
        "statements": "List all statements: name, label, where proved and checked",
        "experiment": "Repeat the experiments of the paper (needs PyTorch)",
        "fuzz": "Search for counterexamples, also to a conjecture of yours",
        "bench": "Measure the speed on this machine",
    },
}
"""The commands by what they are for, and what each does in one row of 80 columns."""

ABOUT = """Prove statements about the loss landscape of a network on your data, in exact real arithmetic: no bad local
valley, full rank of the features, zero training error, a path from a start to zero loss; two networks joined without a
barrier; strict local minima. Proofs are certificates that an independent checker accepts or rejects."""

BELOW = """\b
Begin with    verifier init my.toml && verifier run my.toml
One command   verifier COMMAND -h
Tab key       verifier --install-completion   (bash, zsh, fish, PowerShell)
Exit codes    0 proved, accepted or as expected; 1 refuted, rejected or
              unexpected; 2 unusable input; 3 undecided; 130 interrupted"""

_COMPLETION = ("install_completion", "show_completion")


class PlainCommand(TyperCommand):
    """A command whose arguments are listed by their names alone, ``CASE.toml``: no braces, no types of Python."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Name the arguments; brackets only where one may be left out.

        Parameters
        ----------
        ctx
            The context of the command line.

        Returns
        -------
        list
            The words of the usage line behind the command's name.
        """
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, without the types of Python, and the options.

        Parameters
        ----------
        ctx
            The context of the command line.
        formatter
            Writes to the terminal.
        """
        for parameter in self.get_params(ctx):
            if parameter.param_type_name == "argument":
                parameter.display_type_rich = lambda ctx: None  # type: ignore[attr-defined]
        super().format_options(ctx, formatter)


class CommandSections(TyperGroup):
    """The commands under headings; the options for completion are named below them, not listed."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each heading, all commands in columns of the same width.

        Parameters
        ----------
        ctx
            The context of the command line.
        formatter
            Writes to the terminal.
        """
        wide = max(len(name) for rows in SECTIONS.values() for name in rows)
        for heading, rows in SECTIONS.items():
            with formatter.section(heading):
                known = [(name, words) for name, words in rows.items() if name in self.commands]
                formatter.write_dl([(f"{name:<{wide}}", words) for name, words in known])

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, but those for completion, and then the commands.

        Parameters
        ----------
        ctx
            The context of the command line.
        formatter
            Writes to the terminal.
        """
        for option in self.get_params(ctx):
            if option.name in _COMPLETION:
                option.hidden = True  # type: ignore[attr-defined]
        super().format_options(ctx, formatter)
