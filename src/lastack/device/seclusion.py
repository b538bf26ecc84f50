"""A process that may change a sandbox's network and nothing else: the machine's files lie before it read-only.

A network namespace holds no files, so that a program run in it as root could write anywhere, also what rules the whole
machine under /sys and /proc. In a mount namespace of its own (mount_namespaces(7)) all is read-only but /tmp and the
settings of the network, which belong to the network namespace.
"""

from __future__ import annotations

import ctypes
import os
from struct import pack

_CLONE_NEWNS = 0x00020000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_MOUNT_SETATTR = 442  # the number of the system call, the same on every architecture
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_READ_ONLY = 1  # MOUNT_ATTR_RDONLY
_OPEN = (b"/tmp", b"/proc/sys/net")
# struct mount_attr: what to set, what to clear, propagation, a user namespace.
_CLOSE_IT, _OPEN_IT = pack("=QQQQ", _READ_ONLY, 0, 0, 0), pack("=QQQQ", 0, _READ_ONLY, 0, 0)

_library = ctypes.CDLL(None, use_errno=True)


def seclude() -> None:
    """Put the calling process behind it: a `preexec_fn`, between fork and exec. Raises OSError."""
    _done(_library.unshare(_CLONE_NEWNS))
    _done(_library.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    for path in _OPEN:
        _done(_library.mount(path, path, None, _MS_BIND, None))
    _set(b"/", _AT_RECURSIVE, _CLOSE_IT)
    for path in _OPEN:
        _set(path, 0, _OPEN_IT)
    # What stands on the working directory's old mount goes on being writable until it is looked up anew.
    os.chdir(os.getcwd())


def _set(path: bytes, flags: int, attributes: bytes) -> None:
    _done(_library.syscall(_MOUNT_SETATTR, _AT_FDCWD, path, flags, attributes, len(attributes)))


def _done(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
