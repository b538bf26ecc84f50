"""Worlds of hosts in virtual time."""
