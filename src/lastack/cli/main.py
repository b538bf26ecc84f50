"""The command `lastack`: which commands there are, and where each is found.

A command's module is imported only when it is needed: a command starts fast, and this module can be imported, and say
what is missing, where the packages of the command line are not installed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lastack import __version__

if TYPE_CHECKING:
    import typer

MISSING = "lastack: the command line needs more than the library does; install it with: pip install 'lastack[cli]'"

# Each is a function of that name in the module lastack.cli.NAME, in the order of the help.
COMMANDS = ("demo", "scenario", "diagram", "serve", "get", "services", "lab", "ss", "simulate", "packetdrill", "bench")

HELP = """A complete TCP that you can run, test with, and see inside.

Begin with `lastack demo`; each command has a --help with an example.
"""
_NEEDED = ("typer", "rich", "h11", "pyroute2")


def build(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line with these commands."""
    import typer

    app = typer.Typer(
        help=HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode="markdown",
    )
    shown = typer.Option(False, "--version", help="Show the version and exit.", is_eager=True, callback=_show_version)

    def common(version: bool = shown) -> None:
        """What comes before a command."""

    app.callback(help=HELP)(common)
    for name in names:
        _register(app, name)
    return app


def _register(app: typer.Typer, name: str) -> None:
    module = f"lastack.cli.{name}"
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return
    # What typer should be told beside the function: `lab` takes arguments that are another command's.
    settings: dict[str, Any] = getattr(found, "SETTINGS", {})
    app.command(name, epilog=getattr(found, "EXAMPLE", None), **settings)(getattr(found, name))


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"lastack {__version__}")
        sys.exit(0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line with `arguments` (default: those of the process), and exit."""
    if not all(map(find_spec, _NEEDED)):
        print(MISSING, file=sys.stderr)
        sys.exit(2)
    from lastack.cli.errors import written

    given = list(sys.argv[1:] if arguments is None else arguments)
    wanted = given[:1] if given and given[0] in COMMANDS else []
    with written(" ".join(wanted)):
        build(wanted or COMMANDS)(given, prog_name="lastack")
