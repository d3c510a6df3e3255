"""Which room may import which: a room stands on lower floors alone, so that no two lean on each other."""

import ast
import pathlib
from collections.abc import Iterator

import pytest

_ROOT = pathlib.Path(__file__).parents[2]
# From the roof down; rooms of one floor do not know each other.
_FLOORS = {
    "fpliif_jax": (
        {"main"},
        {"demo"},
        {"export", "predict"},
        {"interop"},
        {"training"},
        {"evaluation"},
        {"weights"},
        {"__init__"},  # it hands out create_model
        {"systems"},
        {"run_folder"},
        {"data"},
        {"devices", "nn", "pictures"},
        {"commands"},
        {"fields"},
    ),
    "data_builders": (
        {"prepare"},
        {"__init__"},
        {"builders"},
        {"celebamask_hq", "helen", "lapa", "own_data"},
        {"face_parsing_builder"},
        {"synthetic_faces", "tree_encoding"},
        {"prepared"},
        {"raw"},
        {"class_list", "random_split"},
        {"class_names", "host"},
        {"errors"},
    ),
    "experiments": (
        {"benchmark"},  # it times what all others do
        {
            "audit",
            "capacity",
            "collect",
            "groups",
            "multi_seed",
            "power",
            "report",
            "reproduce",
            "score",
        },
        {"comparison", "launching"},
        {"cost", "plans", "pytorch", "robustness", "stats"},
        {"published", "runs"},
    ),
}
# Each package, and those that it may import of besides itself.
_PACKAGES = {
    "data_builders": (),
    "configs": (),
    "fpliif_jax": ("data_builders", "configs"),
    "experiments": ("data_builders", "configs", "fpliif_jax"),
}


def _package_of(module: str) -> str:
    """Of 'fpliif_jax.…': the four packages lie beside each other in the checkout, as one name."""
    first = module.split(".")[1]
    return first if first in _PACKAGES else "fpliif_jax"


def _room_of(path: pathlib.Path) -> str:
    """The folder in its package, or the file that lies in none."""
    return path.parts[0] if len(path.parts) > 1 else path.stem


def _imports(package: str) -> Iterator[tuple[pathlib.Path, str]]:
    """Files of a package, relative to it, and the modules 'fpliif_jax.…' that each imports, anywhere in it."""
    for path in sorted((_ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                if name.startswith("fpliif_jax."):
                    yield path.relative_to(_ROOT / package), name


@pytest.mark.parametrize("package", _FLOORS)
def test_a_room_imports_of_lower_floors_alone(package: str) -> None:
    floor_of = {room: floor for floor, rooms in enumerate(_FLOORS[package]) for room in rooms}
    found = {
        _room_of(path.relative_to(_ROOT / package))
        for path in (_ROOT / package).rglob("*.py")
        if path != _ROOT / package / "__init__.py" or "__init__" in floor_of
    }
    assert found == floor_of.keys(), f"{package}: these rooms have no floor, or are no more"
    upwards = []
    for path, module in _imports(package):
        parts = module.split(".")[1 + (package != "fpliif_jax") :]
        room, other = _room_of(path), parts[0] if parts else ""
        is_room = _package_of(module) == package and other in floor_of and other != room
        # What the package's own top exports is imported when it is asked for, and named there for type checkers.
        is_upwards = is_room and floor_of[other] <= floor_of[room]
        if is_upwards and path != pathlib.Path("__init__.py"):
            upwards.append(f"{path} imports {module}")
    assert not upwards


@pytest.mark.parametrize("package", _PACKAGES)
def test_a_package_imports_of_those_below_it_alone(package: str) -> None:
    others = [
        f"{path} imports {module}"
        for path, module in _imports(package)
        if _package_of(module) not in (package, *_PACKAGES[package])
        # `from fpliif_jax import data_builders`, and the package's own `__version__`
        and module.count(".") > 1
        and not module.startswith("fpliif_jax.commands.")  # what all commands share: below all
    ]
    assert not others


def test_the_rooms_that_are_looked_through_are_there() -> None:
    """A pattern that finds nothing finds nothing wrong."""
    for package in _PACKAGES:
        assert len(list(_imports(package))) > 3
