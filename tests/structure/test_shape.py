"""Files and functions stay small, public names are explained, and the core's classes have slots."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.structure import shape
from tests.structure.conftest import Plant, hold

FIELDS = "\n".join(f"        self.field_{number} = {number}" for number in range(80))
RULES = [
    shape.long_files,
    shape.long_functions,
    shape.docstrings,
    shape.slots,
    shape.prints,
    shape.flag_enums,
    shape.state_writers,
]


@pytest.mark.parametrize("rule", RULES)
def test_the_tree_keeps(rule, root: Path):
    hold(rule(root))


@pytest.mark.parametrize("folder", ["src/lastack/sim", "tests/sim", "fuzz"])
def test_a_long_file_is_seen(plant: Plant, folder: str):
    assert shape.long_files(plant(f"{folder}/a.py", "x = 1\n" * 400)) == []
    assert len(shape.long_files(plant(f"{folder}/a.py", "x = 1\n" * 401))) == 1


@pytest.mark.parametrize("start", ["def f():", "async def f():", "class A:\n  def f(self):"])
def test_a_long_function_is_seen(plant: Plant, start: str):
    assert shape.long_functions(plant("src/lastack/sim/a.py", f"{start}\n" + "    x = 1\n" * 69)) == []
    assert len(shape.long_functions(plant("src/lastack/sim/a.py", f"{start}\n" + "    x = 1\n" * 70))) == 1


def test_a_constructor_may_list_its_fields_and_no_more(plant: Plant):
    fields = f"class A:\n    def __init__(self):\n{FIELDS}\n"
    assert shape.long_functions(plant("src/lastack/sim/a.py", fields)) == []
    assert len(shape.long_functions(plant("src/lastack/sim/a.py", f"{fields}        self.f()\n"))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1",
        "'doc'\ndef f(): return 1",
        "'doc'\nasync def f(): return 1",
        "'doc'\nclass A: pass",
        "'doc'\nclass A:\n    'doc'\n    def f(self): return 1",
        "'doc'\nclass A:\n    'doc'\n    class B: pass",
        "'doc'\nclass A(Exception):\n    'doc'\n    def f(self): return 1",
        "'doc'\nclass Base:\n    'doc'\nclass A(Base):\n    'doc'\n    def f(self): return 1",
    ],
)
def test_a_missing_docstring_is_seen(plant: Plant, text: str):
    assert len(shape.docstrings(plant("src/lastack/sim/a.py", text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "'doc'\ndef _f(): return 1",
        "'doc'\ndef f():\n    'doc'\n    def g(): return 1\n    return g",
        "'doc'\nclass A:\n    'doc'\n    def __len__(self): return 1",
        "'doc'\nclass A(asyncio.Transport):\n    'doc'\n    def close(self): return None",
        "'doc'\nclass A(Protocol):\n    'doc'\n    def f(self): ...",
        "'doc'\nclass B:\n    'doc'\n    def f(self): 'doc'\nclass A(B):\n    'doc'\n    def f(self): return 1",
    ],
)
def test_what_needs_no_docstring_passes(plant: Plant, text: str):
    assert shape.docstrings(plant("src/lastack/sim/a.py", text)) == []


@pytest.mark.parametrize("room", ["wire", "tcp", "host"])
@pytest.mark.parametrize(
    "text",
    [
        "class A: pass",
        "class A(Base): pass",
        "def f():\n    class A: pass",
        "@dataclass\nclass A: pass",
        "@dataclass(slots=False)\nclass A: pass",
        "@dataclass(frozen=True)\nclass Config: pass",
    ],
)
def test_a_class_without_slots_is_seen(plant: Plant, room: str, text: str):
    assert len(shape.slots(plant(f"src/lastack/{room}/a.py", text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "class A:\n    __slots__ = ('x',)",
        "class A:\n    __slots__: tuple[str, ...] = ()",
        "@dataclasses.dataclass(slots=True)\nclass A: pass",
        "class A(Enum): pass",
        "class A(Protocol[T]): pass",
        "class A(typing.NamedTuple): pass",
        "class A(ValueError): pass",
    ],
)
def test_a_class_with_slots_passes(plant: Plant, text: str):
    assert shape.slots(plant("src/lastack/tcp/a.py", text)) == []


def test_a_print_is_seen(plant: Plant):
    assert len(shape.prints(plant("src/lastack/sim/a.py", "def f():\n    print(1)"))) == 1


@pytest.mark.parametrize("path", ["cli/a.py", "bench/client.py"])
def test_the_command_line_and_scripts_may_print(plant: Plant, path: str):
    assert shape.prints(plant(f"src/lastack/{path}", "print(1)")) == []


@pytest.mark.parametrize(
    "text", ["from enum import IntFlag", "import enum\nclass A(enum.IntFlag): X = 1", "class A(Flag): X = 1"]
)
def test_an_enumeration_of_flags_is_seen(plant: Plant, text: str):
    assert len(shape.flag_enums(plant("src/lastack/wire/a.py", text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "def f(tcb): tcb.state = 1",
        "def f(tcb): tcb.state: int = 1",
        "def f(tcb): tcb.x, (tcb.state, y) = 1, (2, 3)",
        "def f(tcb): tcb.state += 1",
        "def f(tcb): del tcb.state",
        "def f(tcb):\n    for tcb.state in x: pass",
        "def f(tcb): setattr(tcb, 'state', 1)",
        "def f(tcb): object.__setattr__(tcb, 'state', 1)",
        "class A:\n    def __init__(self, tcb): tcb.state = 1",
        "class A:\n    def close(self): self.state = 1",
    ],
)
def test_another_writer_of_the_state_is_seen(plant: Plant, text: str):
    assert len(shape.state_writers(plant("src/lastack/tcp/a.py", text))) == 1


def test_another_writer_beside_move_is_seen(plant: Plant):
    text = "def move(tcb): tcb.state = 1\ndef close(tcb): tcb.state = 1"
    assert shape.state_writers(plant("src/lastack/tcp/states.py", text)) == [
        "src/lastack/tcp/states.py:2: a state is written by `move` alone"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "class A:\n    def __init__(self): self.state = 1",
        "class A:\n    def copy(self): other.state = self.state",
        "def f(tcb): return tcb.state",
        "class A:\n    state: int",
    ],
)
def test_what_moves_no_state_passes(plant: Plant, text: str):
    assert shape.state_writers(plant("src/lastack/tcp/a.py", text)) == []
