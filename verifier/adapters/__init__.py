"""Networks and weights that come from other libraries."""
