"""What keeps a script from passing: it is none, it asks for what is not here, or what it expects did not happen."""

from __future__ import annotations

_LONGEST = 600  # characters of a message, which may quote a script


class ScriptError(Exception):
    """A script that cannot be read or run: `message`, and where (`line` from 1 on; 0: the file as a whole)."""

    def __init__(self, message: str, line: int = 0) -> None:
        self.message = message if len(message) <= _LONGEST else f"{message[:_LONGEST]}..."
        self.line = line
        super().__init__(self.message, line)

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}" if self.line else self.message


class Unsupported(ScriptError):
    """A script asks for something that there is not here; the message names it."""


class Failed(ScriptError):
    """What a script expects did not happen. `expected` and `got` are in the script's notation, where there is one."""

    def __init__(self, message: str, line: int = 0, expected: str = "", got: str = "") -> None:
        super().__init__(message, line)
        self.expected = expected
        self.got = got


class Missing(Failed):
    """What a script waits for has not come at all: there is nothing to go on with."""
