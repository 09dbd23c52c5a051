"""Writes a small certificate's claims as a Coq file, which Coq's kernel checks: `verifier formal`.

It reads certificates with the checker's own code and evaluates networks with the checker's own rules, on terms of Coq
in the place of balls. What it writes need not be trusted: Coq accepts the file only if every step of it is proved.
"""
