"""What the paper assumes and concludes: Assumption 3.1, Lemma 2.1, generic full rank."""
