"""Tests of somebody who uses pytest: in a world, with many seeds, and what is told of one that fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.aio.somebody import counts

pytest_plugins = ["pytester"]

FRAGILE = """
    async def test_fragile(world):
        world.host("server", serve)
        world.chaos(loss=0.02, crash_every=40, partition_every=30)
        await world.host("client").run(ask(60))
"""


def test_an_async_test_runs_in_a_world(run):
    done = run(
        """
    async def test_with_it(world):
        world.host("server", serve)
        await ask(3, 1000)
        assert 3000 < world.now < 3001
        assert world.seed == 0

    @pytest.mark.lastack(latency=2)
    async def test_with_the_marker():
        assert asyncio.get_running_loop().world.seed == 0

    @pytest.mark.lastack(latency=2)
    class TestClass:
        @pytest.mark.lastack(max_time=100)
        @pytest.mark.parametrize("pause", [1, 7])
        async def test_in_a_class(self, world, pause, tmp_path):
            self.pause = pause
            world.host("server", serve)
            await ask(1, pause)
            assert world.now == 8 + pause

        def test_that_is_not_async(self, world):
            world.host("server", serve)
            assert world.run(ask(1)) is None
            assert world.now > 8
        """
    )
    assert counts(done) == {"passed": 5}


def test_other_tests_are_left_alone(run):
    done = run(
        """
    import anyio

    def test_ordinary():
        assert asyncio.run(asyncio.sleep(0)) is None

    @pytest.mark.anyio
    async def test_of_another_plugin():
        assert not hasattr(asyncio.get_running_loop(), "world")

    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    class TestOther:
        @pytest.fixture
        def world(self):
            return "another"

        def test_with_a_fixture_of_its_own(self, world):
            assert world == "another"

    class TestDerived:
        @pytest.fixture
        def world(self, world):
            world.host("server", serve)
            return world

        async def test_with_ours_in_its_own(self, world):
            await ask(1)
        """,
        "--lastack-runs=3",
    )
    assert counts(done) == {"passed": 4}


def test_a_plugin_that_takes_every_coroutine_leaves_these(run):
    pytest.importorskip("pytest_asyncio")
    done = run(
        """
    async def test_theirs():
        assert not hasattr(asyncio.get_running_loop(), "world")

    async def test_ours(world):
        await asyncio.sleep(1000)
        assert world.now == 1000
        """,
        "--asyncio-mode=auto",
        process=True,
    )
    assert counts(done) == {"passed": 2}


def test_each_seed_has_fixtures_of_its_own(run):
    done = run(
        """
    seen = []
    made = []

    @pytest.fixture(scope="module")
    def shared():
        made.append(1)
        yield
        made.append(-1)

    @pytest.fixture
    def fresh(shared):
        assert made == [1]
        return []

    class TestIt:
        def setup_method(self):
            self.calls = 0

        async def test_it(self, world, fresh):
            self.calls += 1
            fresh.append(1)
            assert (self.calls, fresh) == (1, [1])
            seen.append((world.seed, random.random()))

    def test_afterwards(shared):
        assert [seed for seed, _ in seen] == [5, 6, 7, 8]
        assert len(set(seen)) == 4
        assert made == [1]

    def test_sync_with_seeds(world):
        seen.append(world.seed)
        assert world.seed != 7, seen
        """,
        "--lastack-seed=5",
        "--lastack-runs=4",
    )
    assert counts(done) == {"passed": 2, "failed": 1}
    done.stdout.fnmatch_lines(["seed 7 fails, after 2 that passed", "lastack: seeds 5 to 8"][:1])


def test_a_failure_tells_how_to_see_it_again(run, pytester: pytest.Pytester):
    done = run(FRAGILE, "--lastack-runs=20")
    text = done.stdout.str()
    found = re.search(r"^seed (\d+) fails", text, re.MULTILINE)
    assert found is not None
    folder = f".lastack/test_it.py/test_fragile/seed-{found[1]}"
    assert re.search(r"of the \d+ faults that befell it, it needs 1:\n +crash server #\d\n", text)
    again = f"again:   pytest test_it.py::test_fragile --lastack-seed {found[1]} --lastack-only {folder}/only.txt"
    done.stdout.fnmatch_lines([again, f"look at: {folder}/ladder-client-server.txt"])
    assert "ConnectionResetError" in text
    assert "loses its power" in text
    assert "lastack/host/stream.py" not in text  # the traceback ends with who has called the socket
    files = {file.name: file.read_bytes() for file in (pytester.path / folder).iterdir()}
    assert set(files) == {"only.txt", "capture.pcapng", "netstat.txt", "ladder-client-server.txt"}
    assert b"localhost fails: ConnectionResetError" in files["ladder-client-server.txt"]
    assert b"LISTEN" in files["netstat.txt"]
    assert (pytester.path / ".lastack/.gitignore").read_text() == "*\n"

    # And that shows it again: exactly that, and no other seed.
    ran = run(FRAGILE, *again.split()[3:])
    assert counts(ran) == {"failed": 1}
    assert f"again:   {again.split(maxsplit=1)[1]}\n" in ran.stdout.str()
    assert {file.name: file.read_bytes() for file in (pytester.path / folder).iterdir()} == files
    whole = run(FRAGILE, "--lastack-seed", found[1], "--lastack-shrink-runs=0")
    assert re.search(r"of the \d+ faults that befell it, it needs \d+, or fewer", whole.stdout.str())


def test_what_was_printed_is_that_of_the_run_that_is_shown(run):
    done = run(
        """
    async def test_it(world, record_property):
        record_property("seed", world.seed)
        print("this is", world.seed)
        assert world.seed < 3
        """,
        "--lastack-runs=10",
        "--junit-xml=report.xml",
        "-ojunit_family=xunit1",
    )
    assert re.findall(r"this is \d", done.stdout.str()) == ["this is 3"]
    assert Path("report.xml").read_text().count('<property name="seed"') == 1


def test_a_program_that_leaves_the_simulation_is_told_loudly(run):
    done = run(
        """
    earlier = []

    async def test_passes_then(world):
        earlier.append(1)
        assert len(earlier) > 1

    async def test_fails_elsewhere(world):
        earlier.append(1)
        if len(earlier) % 2:
            raise ValueError("odd")
        raise KeyError("even")

    async def test_fails_later(world):
        earlier.append(1)
        await asyncio.sleep(len(earlier))
        assert False
        """
    )
    assert counts(done) == {"failed": 3}
    assert done.stdout.str().count("NOT THE SAME AGAIN") == 3
    done.stdout.fnmatch_lines(
        ["it passed.", "it failed by KeyError*, not by ValueError*", "it failed too, but at * s after 0 faults, not *"]
    )


def test_skips_and_expected_failures_are_what_they_are(run):
    done = run(
        """
    async def test_skipped(world):
        pytest.skip("not here")

    @pytest.mark.xfail
    async def test_expected(world):
        assert world.seed < 2

    @pytest.mark.xfail
    async def test_unexpected(world):
        pass

    @pytest.fixture
    def broken():
        raise ValueError("in the fixture")

    async def test_error(world, broken):
        pass

    @pytest.fixture
    def breaks():
        yield
        raise ValueError("afterwards")

    async def test_late_error(world, breaks):
        pass
        """,
        "--lastack-runs=4",
    )
    assert counts(done) == {"skipped": 1, "xfailed": 1, "xpassed": 1, "errors": 2, "passed": 1}
    assert done.stdout.str().count("seed 0 fails") == 2


def test_the_last_one_tears_down_what_is_shared(run):
    done = run(
        """
    @pytest.fixture(scope="session")
    def shared():
        yield
        raise ValueError("at the very end")

    async def test_it(world, shared):
        pass
        """,
        "--lastack-runs=3",
    )
    assert counts(done) == {"passed": 1, "errors": 1}


@pytest.mark.slow
def test_one_failure_is_enough_with_x_and_several_processes_find_the_same(run):
    tests = """
    @pytest.mark.parametrize("number", range(4))
    async def test_it(world, number):
        assert world.seed != 3
    """
    assert counts(run(tests, "--lastack-runs=10", "-x")) == {"failed": 1}
    done = run(tests, "--lastack-runs=10", "-n2", "-q")
    assert counts(done) == {"failed": 4}
    assert done.stdout.str().count("seed 3 fails, after 3 that passed") == 4
    assert "'pytest" not in done.stdout.str()
    assert "pytest 'test_it.py::test_it[2]' --lastack-seed 3\n" in done.stdout.str()


@pytest.mark.slow
def test_an_interrupt_ends_it(run):
    done = run(
        """
    calls = []

    async def test_it(world):
        world.host("server", serve)
        world.chaos(loss=0.3)
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        await ask(5)
        assert False
        """,
        process=True,
    )
    assert done.ret == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in done.stdout.str()


def test_a_test_that_forgets_to_run_its_world_fails(run):
    done = run(
        """
    def test_forgets(world):
        world.host("server", serve)
        assert world.seed == 0

    def test_has_nothing_to_run(world):
        world.host("server")

    def test_skips(world):
        world.host("server", serve)
        pytest.skip("not today")

    def test_by_a_loop(world):
        from lastack.aio import SimulatedLoop

        world.host("server", serve)
        with asyncio.Runner(loop_factory=lambda: SimulatedLoop(world)) as runner:
            runner.run(ask(1))
        """
    )
    assert counts(done) == {"failed": 1, "passed": 2, "skipped": 1}
    done.stdout.fnmatch_lines(["the world has not run, nor what is on its hosts (server): call world.run(...)*"])
    assert "seed 0 fails" not in done.stdout.str()


def test_an_async_fixture_is_refused(run):
    done = run(
        """
    @pytest.fixture
    async def conn(world):
        return 1

    @pytest.fixture
    async def pool():
        yield 1

    async def test_conn(world, conn):
        assert False

    async def test_pool(world, pool):
        assert False

    @pytest.fixture
    def connect():
        async def connect():
            return await asyncio.open_connection("server", 80)

        return connect

    async def test_as_it_is_told(world, connect):
        world.host("server", serve)
        _, writer = await connect()
        writer.close()
        """
    )
    assert counts(done) == {"errors": 2, "passed": 1}
    for name in ("conn", "pool"):
        done.stdout.fnmatch_lines([f"{name} is an async fixture, and a world runs during the test alone: *"])
    assert "seed 0 fails" not in done.stdout.str()


def test_a_project_that_has_no_such_tests_loads_nothing(run):
    done = run(
        """
    import sys

    def test_it():
        loaded = [name for name in sys.modules if name.startswith("lastack.aio")]
        assert loaded == ["lastack.aio", "lastack.aio.pytest_plugin"]
        """,
        process=True,
    )
    assert counts(done) == {"passed": 1}
