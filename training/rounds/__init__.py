"""Rounds of sampling, training and evaluation: what is decided and what is told of them. `flows.rounds` runs them."""
