"""The size and shape of the code: files, functions, docstrings, slots, and what is written nowhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.structure.source import Module, name_of, package_modules, python_modules

FILE_LINES = 400
FUNCTION_LINES = 70

Function = ast.FunctionDef | ast.AsyncFunctionDef

# Bases that bring their own storage, or have no instances.
UNSLOTTED_BASES = {"Enum", "IntEnum", "StrEnum", "Protocol", "NamedTuple", "TypedDict"}
# Read-only and shared: `dataclasses.replace` and its table of variants want an ordinary dataclass.
UNSLOTTED = {("src/lastack/tcp/config.py", "Config")}

# Programs whose standard output is what they are asked for.
SCRIPTS = {f"src/lastack/bench/{name}.py" for name in ("alone", "client", "kernel_server")}

# Bases that have no methods of their own to explain what an override does.
UNTELLING_BASES = UNSLOTTED_BASES | {"object", "Generic", "ABC", "Exception", "ValueError", "OSError"}


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function, method and inner function."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def long_files(root: Path) -> list[str]:
    """No file has more than 400 lines."""
    return [
        f"{module.path}:{FILE_LINES + 1}: {module.lines} lines, {FILE_LINES} at most"
        for module in python_modules(root)
        if module.lines > FILE_LINES
    ]


def long_functions(root: Path) -> list[str]:
    """No function has more than 70 lines, but a constructor that only lists fields."""
    wrong = []
    for module in python_modules(root):
        for function in functions(module.tree):
            lines = (function.end_lineno or 0) - function.lineno + 1
            if lines > FUNCTION_LINES and not _lists_fields(function):
                wrong.append(module.at(function, f"{function.name} has {lines} lines, {FUNCTION_LINES} at most"))
    return wrong


def _lists_fields(function: Function) -> bool:
    return function.name == "__init__" and all(isinstance(one, ast.Assign | ast.AnnAssign) for one in function.body)


def docstrings(root: Path) -> list[str]:
    """Every module of the package, and every public class, function and method in it, has a docstring.

    A method may go without where it overrides one that is explained, and so may a body of nothing but `...`.
    """
    modules = package_modules(root)
    explained: dict[str, set[str]] = {}
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                told = {one.name for one in node.body if isinstance(one, Function) and ast.get_docstring(one)}
                explained.setdefault(node.name, set()).update(told)
    wrong = []
    for module in modules:
        if not ast.get_docstring(module.tree):
            wrong.append(f"{module.path}:1: the file does not begin with a docstring")
        wrong += [module.at(node, f"{node.name} has no docstring") for node in _unexplained(module.tree, explained)]
    return wrong


def _unexplained(scope: ast.Module | ast.ClassDef, explained: dict[str, set[str]]) -> Iterator[Function | ast.ClassDef]:
    for node in scope.body:
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            inherited = isinstance(scope, ast.ClassDef) and _inherits(scope, node.name, explained)
            if not inherited and not _stub_or_setter(node):
                yield node
        if isinstance(node, ast.ClassDef):
            yield from _unexplained(node, explained)


def _inherits(owner: ast.ClassDef, method: str, explained: dict[str, set[str]]) -> bool:
    bases = {name_of(base) for base in owner.bases} - UNTELLING_BASES
    return any(base not in explained or method in explained[base] for base in bases)


def _stub_or_setter(node: Function | ast.ClassDef) -> bool:
    last = node.body[-1]
    stub = isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant) and last.value.value is ...
    decorators = {name_of(one) for one in node.decorator_list}
    return (stub and isinstance(node, Function)) or bool(decorators & {"setter", "deleter", "overload"})


def slots(root: Path) -> list[str]:
    """Every class of the core has slots: a host holds a great many of each."""
    return [
        module.at(node, f"{node.name} has no __slots__")
        for module in package_modules(root)
        if module.room in ("wire", "tcp", "host")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and not _slotted(node) and (module.path, node.name) not in UNSLOTTED
    ]


def _slotted(node: ast.ClassDef) -> bool:
    for base in map(name_of, node.bases):
        if base in UNSLOTTED_BASES or base.endswith(("Error", "Exception", "Warning")):
            return True
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and name_of(decorator) == "dataclass":
            for keyword in decorator.keywords:
                if keyword.arg == "slots" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True:
                    return True
    targets: list[ast.expr] = []
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            targets += statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets.append(statement.target)
    return any(name_of(target) == "__slots__" for target in targets)


def prints(root: Path) -> list[str]:
    """Only the command line prints, and scripts that run as processes of their own."""
    return [
        module.at(node, "only the command line prints")
        for module in package_modules(root)
        if module.room != "cli" and module.path not in SCRIPTS
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "pprint")
    ]


def flag_enums(root: Path) -> list[str]:
    """Flags are plain ints: an operation on an enumeration of flags costs up to a microsecond."""
    wrong = []
    for module in package_modules(root):
        for node in ast.walk(module.tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.ClassDef):
                names = [name_of(base) for base in node.bases]
            wrong += [module.at(node, f"{name}: flags are plain ints") for name in names if name in ("IntFlag", "Flag")]
    return wrong


def state_writers(root: Path) -> list[str]:
    """`move` alone changes a state: elsewhere a constructor may set its own, and a `copy` that of its twin."""
    wrong = []
    for module in package_modules(root):
        if module.path != "src/lastack/tcp/states.py":
            for node, function in _with_function(module.tree, None):
                if _writes_state(node, function):
                    wrong.append(module.at(node, "a state is written by `move` alone (tcp/states.py)"))
        else:
            wrong += _strangers_in_states(module)
    return wrong


def _strangers_in_states(module: Module) -> list[str]:
    found = _with_function(module.tree, None)
    strangers = (node for node, function in found if _writes_state(node, function) and _name(function) != "move")
    return [module.at(node, "a state is written by `move` alone") for node in strangers]


def _name(function: Function | None) -> str:
    return function.name if function else ""


def _with_function(node: ast.AST, function: Function | None) -> Iterator[tuple[ast.AST, Function | None]]:
    """Every node with the function that it stands in."""
    yield node, function
    for child in ast.iter_child_nodes(node):
        yield from _with_function(child, node if isinstance(node, Function) else function)


def _writes_state(node: ast.AST, function: Function | None) -> bool:
    if isinstance(node, ast.Call) and name_of(node.func) in ("setattr", "__setattr__"):
        return any(isinstance(one, ast.Constant) and one.value == "state" for one in node.args)
    if not (isinstance(node, ast.Attribute) and node.attr == "state" and isinstance(node.ctx, ast.Store | ast.Del)):
        return False
    owner = node.value.id if isinstance(node.value, ast.Name) else ""
    return not (_name(function) in ("copy", "__copy__") or (_name(function) == "__init__" and owner == "self"))
