"""The one exception of this room: a device, a namespace or the network's configuration that cannot be had."""

from __future__ import annotations


class DeviceError(OSError):
    """What went wrong, and what to do about it, in one or two sentences fit to be shown to a user.

    `errno` is the system's error number where there was one, else None.
    """

    def __init__(self, message: str, number: int | None = None) -> None:
        super().__init__(number, message)
        self.message = message

    def __str__(self) -> str:
        return self.message
