# SPDX-License-Identifier: Apache-2.0
"""The walls between rooms: a module imports only its own room and rooms below it, and each name has one meaning."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import vkzircon_cli

PACKAGE = Path(vkzircon_cli.__file__).parent

# Each line may import from the lines below it, and no other room of its own line.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("__main__",),
    ("cli",),
    ("bundle", "survey"),
    ("render", "saved"),
    ("doctor",),
    ("pipeline",),
    ("probe", "diff"),
    ("worker",),
    ("report",),
    ("explain",),
    ("emulation",),
    ("bindings",),
    ("output", "stream"),
    ("checks",),
    ("errors",),
    ("model",),
)
LEVEL = {room: len(FLOORS) - floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Module names that several rooms use for the same subject.
SHARED_NAMES = {"bench", "capabilities", "export", "extension", "imports", "matrix", "survey"}


def modules() -> Iterator[tuple[str, Path]]:
    """Yield every module of the package, `room` or `room.module`, with its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        if name and name != "bindings._abi":
            yield name, path


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the name below `vkzircon_cli.` of each import in a file, also of those inside functions."""
    prefix = "vkzircon_cli."
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (
                (node.lineno, name.name.removeprefix(prefix)) for name in node.names if name.name.startswith(prefix)
            )
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield node.lineno, f"{'.' * node.level}{node.module or ''} (write the whole name)"
        elif isinstance(node, ast.ImportFrom) and node.module == "vkzircon_cli":
            yield from ((node.lineno, name.name) for name in node.names if name.name != "__version__")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(prefix):
            module = str(node.module).removeprefix(prefix)
            yield from ((node.lineno, f"{module}.{name.name}") for name in node.names)


def test_each_room_imports_only_rooms_below_it() -> None:
    """The order of the rooms is `FLOORS`; imports inside functions and for type checkers count too."""
    offences = []
    for name, path in modules():
        room = name.split(".")[0]
        for line, imported in imports(path):
            other = imported.split(".")[0]
            if other != room and LEVEL.get(other, len(FLOORS)) >= LEVEL[room]:
                offences.append(f"{path.relative_to(PACKAGE.parent)}:{line}: {room} imports {imported}")
    assert not offences, "\n".join(offences)


def test_no_module_imports_itself_in_a_circle() -> None:
    """Modules have no circular imports; imports inside functions count, although they load without an error."""
    known = dict(modules())
    arrows = {
        name: sorted({_module_of(imported, known) for _, imported in imports(path)}) for name, path in known.items()
    }
    circles = [" -> ".join(circle) for name in arrows if (circle := _way_back(name, arrows))]
    assert not circles, "\n".join(circles)


def _module_of(imported: str, known: dict[str, Path]) -> str:
    return imported if imported in known else imported.rpartition(".")[0] or imported


def _way_back(start: str, arrows: dict[str, list[str]]) -> list[str]:
    """Return the shortest path from *start* to itself, empty if there is none."""
    ways, seen = [[start]], {start}
    for way in ways:
        for step in arrows.get(way[-1], []):
            if step == start:
                return [*way, step] if len(way) > 1 else []
            if step not in seen:
                seen.add(step)
                ways.append([*way, step])
    return []


def test_a_name_in_two_rooms_is_one_subject() -> None:
    """`SHARED_NAMES` is the whole list of module names that stand in more than one room."""
    rooms = defaultdict(set)
    for name, _ in modules():
        room, _, module = name.rpartition(".")
        if room:
            rooms[module].add(room)
    assert {module for module, of in rooms.items() if len(of) > 1} == SHARED_NAMES


def test_the_top_holds_the_rooms_and_at_most_eight_files() -> None:
    """The package shows its rooms at first sight, and each room says what belongs there and what does not."""
    assert len([path for path in PACKAGE.iterdir() if path.is_file()]) <= 8
    for room in (path for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()):
        said = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
        assert len(said.split("\n\n")) >= 2, f"{room.name} says in its first lines what belongs there and what does not"


def test_the_probe_makes_structures_through_the_seam_only() -> None:
    """An agent cannot reach memory of ``ffi.new``, ``ffi.callback`` and ``from_buffer``, so the probe uses none."""
    banned = re.compile(r"\bffi\.(new|callback|from_buffer|dlopen|memmove|string)\(|\bfrom_buffer\(|platform\(\)")
    offences = [
        f"{path.name}:{number}: {line.strip()}"
        for path in sorted((PACKAGE / "probe").glob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if banned.search(line)
    ]
    assert not offences, "\n".join(offences)
