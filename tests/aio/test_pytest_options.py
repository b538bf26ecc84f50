"""How the pytest plugin is told what to do: options, settings and the marker."""

from __future__ import annotations

import pytest

from tests.aio.somebody import counts

pytest_plugins = ["pytester"]


def test_the_marker_and_the_settings_say_how_many(run, pytester: pytest.Pytester):
    tests = """
    @pytest.mark.lastack(seed=10, runs=5)
    async def test_marked(world):
        assert world.seed < 14

    async def test_plain(world):
        assert world.seed != 21
    """
    pytester.makeini("[pytest]\nlastack_seed = 20\nlastack_runs = 2\nlastack_dir = found\n")
    done = run(tests)
    done.stdout.fnmatch_lines(["seed 14 fails, after 4 that passed", "seed 21 fails, after 1 that passed"])
    assert (pytester.path / "found/test_it.py/test_plain/seed-21/netstat.txt").exists()
    assert counts(run(tests, "--lastack-seed=13")) == {"passed": 2}  # one that is named runs alone
    assert counts(run(tests, "--lastack-seed=13", "--lastack-runs=9", "--lastack-dir=here")) == {"failed": 2}
    assert (pytester.path / "here/test_it.py/test_plain/seed-21/netstat.txt").exists()


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--lastack-seed=x", "--lastack-seed: 'x' is no number"),
        ("--lastack-runs=0", "--lastack-runs: 0 is not from 1 to"),
        ("--lastack-only=absent.txt", "--lastack-only: *absent.txt"),
        ("--lastack-only=test_it.py", "--lastack-only: test_it.py does not begin with a line such as: seed 17"),
        ("--lastack-dir=/proc/x", "lastack_dir: *No such file or directory: '/proc/x'"),
        ("-olastack_runs=many", "lastack_runs: 'many' is no number"),
    ],
)
def test_an_option_that_makes_no_sense_is_a_usage_error(run, option: str, said: str):
    done = run("    def test_it(world): pass\n", option)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"*{said}*"])


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("latencies=3", "does not know latencies: seed, runs, latency,"),
        ("3", "takes keywords only"),
        ("runs=0", "runs is no number of that kind: 0"),
        ("seed='x'", "seed is no number of that kind: 'x'"),
    ],
)
def test_a_marker_that_makes_no_sense_is_an_error_of_its_test_alone(run, marker: str, said: str):
    tests = f"""
    @pytest.mark.lastack({marker})
    async def test_it(world):
        pass

    async def test_other(world):
        pass
        """
    done = run(tests, "--lastack-runs=2")
    assert counts(done) == {"errors": 1, "passed": 1}
    done.stdout.fnmatch_lines(["*ERROR at setup of test_it*", f"@pytest.mark.lastack: {said}*"])
    assert "seed 0 fails" not in done.stdout.str()
    assert counts(run(tests, "-k", "other")) == {"passed": 1, "deselected": 1}
