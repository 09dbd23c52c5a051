"""The bridge between the theorems that Coq has checked and the lines of the checker that establish their hypotheses.

What a theorem says, and each of its hypotheses in words, stands in the TOML files of this folder; which line of the
checker establishes a hypothesis says a comment at that line, "Coq:" with the theorem's name and the hypothesis's.
"""
