"""A pytest plugin: an async test that takes a `world` runs in it, and a seed that fails is explained.

Whoever installs lastack has it, by an entry point; without such tests it does nothing, and loads nothing of lastack.
"""

from __future__ import annotations

import argparse
import functools
import inspect
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from lastack.aio.explaining import Run
    from lastack.aio.world import World


def _number(least: int) -> Callable[[str], int]:
    """Reads a number that is not less."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        if not least <= number < 1 << 64:
            raise argparse.ArgumentTypeError(f"{number} is not from {least} to 2**64 - 1")
        return number

    return read


# Each is an option of the command line, --lastack-NAME, and a setting in pytest's file, lastack_NAME.
_OPTIONS: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "seed": ("N", _number(0), "the (first) seed of the worlds that tests run in (0)"),
    "runs": ("K", _number(1), "with how many seeds each test runs, from the first on (1)"),
    "only": ("FILE", Path, "of all that happens by chance let happen only what this file names"),
    "dir": ("DIR", Path, "where a failing test leaves ladders and captures (.lastack)"),
    "shrink_runs": ("N", _number(0), "how often a failing test is repeated to find the faults that it needs (200)"),
    "shrink_seconds": ("N", _number(0), "for how long, at most (60)"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and settings of the same names."""
    group = parser.getgroup("lastack", "networked programs in simulated worlds (lastack)")
    for name, (metavar, read, what) in _OPTIONS.items():
        option = f"--lastack-{name.replace('_', '-')}"
        group.addoption(option, dest=f"lastack_{name}", metavar=metavar, type=read, default=None, help=what)
        if name != "only":
            parser.addini(f"lastack_{name}", what, default=None)


def pytest_configure(config: pytest.Config) -> None:
    """The marker; and whatever is wrong with the options is said before anything runs."""
    config.addinivalue_line(
        "markers",
        "lastack(seed, runs, **world): an async test that runs in a simulated world; the other keywords are World's",
    )
    given: dict[str, Any] = {}
    for name, (_, read, _) in _OPTIONS.items():
        value = config.getoption(f"lastack_{name}")
        text = config.getini(f"lastack_{name}") if value is None and name != "only" else None
        try:
            given[name] = read(text) if text else value
        except argparse.ArgumentTypeError as error:
            raise pytest.UsageError(f"lastack_{name}: {error}") from None
    config.stash[GIVEN] = given
    if given["dir"] is not None:
        try:
            (config.invocation_params.dir / given["dir"]).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise pytest.UsageError(f"lastack_dir: {error}") from None
    if given["only"] is not None:
        from lastack.aio.evidence import read_faults

        try:
            given["only_seed"], given["only"] = read_faults(given["only"])
        except (OSError, ValueError) as error:
            raise pytest.UsageError(f"--lastack-only: {error}") from None


def pytest_report_header(config: pytest.Config) -> str | None:
    """Which seeds, where somebody has asked for them."""
    seed, runs = config.getoption("lastack_seed"), config.getoption("lastack_runs")
    if seed is None and runs is None:
        return None
    first, count = seed or 0, runs or 1
    return f"lastack: seed {first}" if count == 1 else f"lastack: seeds {first} to {first + count - 1}"


# Of the configuration: the options and settings. Of a test: the run that it is in, whether it is misused there,
# whether it is one of ours, and what is wrong with its marker.
GIVEN: pytest.StashKey[dict[str, Any]] = pytest.StashKey()
RUN: pytest.StashKey[Run] = pytest.StashKey()
MISUSED: pytest.StashKey[bool] = pytest.StashKey()
_MINE: pytest.StashKey[bool] = pytest.StashKey()
_WRONG: pytest.StashKey[str] = pytest.StashKey()


def _misused(item: pytest.Item, what: str) -> NoReturn:
    """The test asks for what this plugin cannot do, or forgets what it should: no seed is to blame."""
    item.stash[MISUSED] = True
    pytest.fail(what, pytrace=False)


# --- which tests are ours ---


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world of the run's seed: an async test runs in it, another one calls `world.run`."""
    from lastack.aio.explaining import Run

    world = (request.node.stash.get(RUN, None) or Run(0)).begin(**marked(request.node)[1])
    yield world
    world.close_files()  # of one that never ran


@pytest.hookimpl(wrapper=True, trylast=True)  # the first to see the result
def pytest_pycollect_makeitem() -> Generator[None, Any, Any]:
    """Take what is ours, so that no other plugin takes it for a coroutine of its own."""
    made = yield
    for item in made if isinstance(made, list) else [made]:
        if isinstance(item, pytest.Function):
            _take(item)
    return made


def _take(item: pytest.Function) -> None:
    asynchronous = inspect.iscoroutinefunction(item.obj)
    marked = asynchronous and item.get_closest_marker("lastack") is not None
    if not _takes_world(item) and not marked:
        return
    item.stash[_MINE] = True
    if not asynchronous:
        return
    if "world" not in item.fixturenames:
        item.fixturenames.insert(0, "world")

    from lastack.aio.explaining import without_us

    @functools.wraps(item.obj)
    def in_the_world(**arguments: Any) -> None:
        __tracebackhide__ = True
        world = item.stash[RUN].world
        assert world is not None, "there is another fixture of the name `world`, which does not ask for lastack's"
        try:
            world.run(item._getobj()(**arguments))  # type: ignore[no-untyped-call]
        except BaseException as error:
            raise without_us(error) from error.__cause__

    item.obj = in_the_world


def _takes_world(item: pytest.Function) -> bool:
    """Whether it takes our fixture, or one of that name that does."""
    for definition in reversed(item._fixtureinfo.name2fixturedefs.get("world", ())):
        if definition.func.__module__ == __name__:
            return True
        if "world" not in definition.argnames:
            return False
    return False


def marked(node: pytest.Item) -> tuple[dict[str, Any], dict[str, Any]]:
    """(seed and runs, the keywords for World) of the markers: what stands closer goes before."""
    keywords: dict[str, Any] = {}
    for mark in node.iter_markers("lastack"):
        keywords = {**mark.kwargs, **keywords}
    mine: dict[str, Any] = {name: keywords.pop(name) for name in ("seed", "runs") if name in keywords}
    return mine, keywords


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look at the markers: what one of them has wrong is an error of its own test."""
    for item in items:
        if item.stash.get(_MINE, False) and (problem := _problem(item)):
            item.stash[_WRONG] = f"@pytest.mark.lastack: {problem}"


def _problem(item: pytest.Item) -> str:
    """What makes no sense in its markers."""
    from lastack.aio.world import World

    known = [name for name in inspect.signature(World).parameters if name not in ("seed", "only")]
    mine, others = marked(item)
    unknown = [name for name in others if name not in known]
    problem = ""
    if any(mark.args for mark in item.iter_markers("lastack")):
        problem = "takes keywords only"
    elif unknown:
        problem = f"does not know {', '.join(unknown)}: seed, runs, {', '.join(known)}"
    for name, value in mine.items():
        if not isinstance(value, int) or value < (name == "runs"):
            problem = f"{name} is no number of that kind: {value!r}"
    return problem


# --- runs ---


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A marker that makes no sense."""
    if item.stash.get(_WRONG, ""):
        _misused(item, item.stash[_WRONG])


def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    """Refuse an async fixture of a test of ours, where no other plugin has made it an ordinary one by now."""
    made = fixturedef.func
    if not request._pyfuncitem.stash.get(_MINE, False):
        return
    if inspect.iscoroutinefunction(made) or inspect.isasyncgenfunction(made):
        name = fixturedef.argname
        _misused(
            request._pyfuncitem,
            f"{name} is an async fixture, and a world runs during the test alone: let {name} be an ordinary fixture "
            f"that returns what the test begins: a coroutine function, or a context manager (async with {name}())",
        )


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """A test that forgets to run its world has tested nothing."""
    result = yield
    run = pyfuncitem.stash.get(RUN, None)
    forgotten = run.world.forgotten() if run is not None and run.world is not None else []
    if forgotten:
        _misused(
            pyfuncitem,
            f"the world has not run, nor what is on its hosts ({', '.join(forgotten)}): call world.run(...), or let "
            "the test be an async one, which runs in it",
        )
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Remember why a test has failed, and show of that what the program does."""
    run = item.stash.get(RUN, None)
    error = call.excinfo.value if run is not None and call.when == "call" and call.excinfo is not None else None
    if error is not None:
        from lastack.aio.explaining import without_the_loop

        without_the_loop(error)
    report = yield
    if run is not None and error is not None and report.failed and not item.stash[MISUSED]:
        run.error = error
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a test of ours with each seed, until one fails."""
    if not isinstance(item, pytest.Function) or not item.stash.get(_MINE, False) or _WRONG in item.stash:
        return None
    from lastack.aio.pytest_runs import Test

    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in Test(item).run(nextitem):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
