"""The language: scripts read, and what they consist of. It knows of no machine."""
