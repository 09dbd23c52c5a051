"""Zero loss and the certified path that leads there."""
