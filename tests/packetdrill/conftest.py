"""What tests of scripts have in common."""

from tests.packetdrill.standin import standin

__all__ = ["standin"]
