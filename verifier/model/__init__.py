"""What is verified: activations, data, networks."""
