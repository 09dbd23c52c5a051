"""Networks: layers, parameters, initial weights."""
