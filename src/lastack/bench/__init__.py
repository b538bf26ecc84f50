"""Measurements: this TCP beside the Linux kernel's, in one run, and what needs no peer."""
