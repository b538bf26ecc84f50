"""`python -m lastack` is the command `lastack`."""

from __future__ import annotations

from lastack.cli.main import main

main()
