"""lastack: a complete TCP that can be run, tested with, and seen inside.

The rooms, from the inside out: `wire` (bytes and values), `tcp` (one connection), `host` (many connections), `link`
(what befalls a packet on its way), `sim` and `device` (the worlds a host lives in), `trace` (what was seen), `cli`
(the command line). docs/design.md says what belongs where.
"""

__version__ = "0.1.0"
