"""What the paper assumes and concludes, statement by statement, and the proof for one problem."""
