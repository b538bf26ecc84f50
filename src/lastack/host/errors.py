"""The errors that sockets raise, in the C library's words where a program is likely to show them."""

from __future__ import annotations

import errno

_MESSAGES = {
    errno.ECONNREFUSED: "Connection refused",
    errno.ECONNRESET: "Connection reset by peer",
    errno.ECONNABORTED: "Software caused connection abort",
    errno.ETIMEDOUT: "Connection timed out",
    errno.EHOSTUNREACH: "No route to host",
    errno.ENETUNREACH: "Network is unreachable",
}


def error(number: int, text: str = "") -> OSError:
    """The OSError subclass of `number`."""
    return OSError(number, text or _MESSAGES.get(number, errno.errorcode.get(number, str(number))))
