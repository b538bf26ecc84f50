"""A world of hosts in virtual time: clock, network, checkers, random simulations."""
