"""The little of the shell's language that scripts may use."""

from __future__ import annotations

import pytest

from lastack.packetdrill.commands.shell import arithmetic, parse
from lastack.packetdrill.errors import ScriptError, Unsupported


def words(text: str, **variables: str) -> list[list[str]]:
    return [one.words for pipeline in parse(text, 1, variables) for one in pipeline.commands]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sysctl -q a=1 b=2", [["sysctl", "-q", "a=1", "b=2"]]),
        ('a "two words" \'$x \\\' "\\"" ', [["a", "two words", "$x \\", '"']]),
        ("a 1 # not read\n# nor this\nb", [["a", "1"], ["b"]]),
        ("a \\\n  1 \\\n  2", [["a", "1", "2"]]),
        ("a x\\\n  y", [["a", "x", "y"]]),
        ('a "1 $((15*1024*1024)) 2"', [["a", "1 15728640 2"]]),
        ("x=5; a $x ${x}0 '$x'", [[], ["a", "5", "50", "$x"]]),
        ("a; b;; \n\n c", [["a"], ["b"], ["c"]]),
        ("a$", [["a$"]]),
        ("", []),
    ],
)
def test_commands_are_words(text: str, expected: list[list[str]]) -> None:
    assert words(text) == expected


def test_operators_and_pipes() -> None:
    found = parse("a && b || c | d ; ! e", 1, {})
    assert [(one.after, one.negated, len(one.commands)) for one in found] == [
        (";", False, 1),
        ("&&", False, 1),
        ("||", False, 2),
        (";", True, 1),
    ]


@pytest.mark.parametrize("text", ["a > /dev/null 2>&1", "a &> /dev/null", "a >/dev/null"])
def test_redirections(text: str) -> None:
    ((one,),) = [pipeline.commands for pipeline in parse(text, 1, {})]
    assert (one.words, one.writes) == (["a"], "/dev/null")


def test_each_command_knows_its_line() -> None:
    found = parse("a\n# b\nc \\\n d\n\ne", 10, {})
    assert [one.commands[0].line for one in found] == [10, 12, 15]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("x=$(rm -rf x)", r"\$\(\.\.\.\)"),
        ("a & b", "'&'"),
        ("a\nif true; then b; fi", "line 2: 'if'"),
        ("for i in 1 2; do a; done", "'for'"),
        ("a $HOME", r"\$HOME: a variable that nothing here sets"),
        ('a "${x:-1}"', r"\$\{x"),
        ("(a)", r"'\('"),
        ("eval a", "'eval'"),
        ('a "`b`"', "output of a command"),
    ],
)
def test_the_rest_of_the_language_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(Unsupported, match=named):
        parse(text, 1, {})


@pytest.mark.parametrize(
    "text", ["a 'b", 'a "b', "a &&", "| a", "a >", "a $((1/0))", "a $((1+", "a $((x))", "a" * 200_000]
)
def test_what_is_no_shell_is_an_error(text: str) -> None:
    with pytest.raises(ScriptError) as raised:
        parse(text, 1, {})
    assert raised.value.line == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [("2+3*4", 14), ("(2+3)*4", 20), ("7/2", 3), ("-7/2", -3), ("1<<20", 1048576), ("10-3-2", 5), ("n%4", 3)],
)
def test_arithmetic(text: str, value: int) -> None:
    assert arithmetic(text, {"n": "7"}, 1) == value
