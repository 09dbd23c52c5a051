"""What certificates can claim, as structs; reading them needs none of the provers."""
