"""Compares a wheel that was built from the sdist, one built from the tree, and the sdist itself.

In the tree: python .ci/check_package.py FROM_SDIST.whl FROM_TREE.whl SDIST.tar.gz
"""

import pathlib
import sys
import tarfile
import zipfile

PARTS = ("fpliif_jax", "configs", "data_builders", "experiments")


def main(from_sdist: str, from_tree: str, sdist: str) -> None:
    """Ends with a message at the first difference."""
    wheels = [
        {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
        for wheel in (from_sdist, from_tree)
    ]
    check(wheels[0] ^ wheels[1], "only one of the two wheels has")
    check({name for name in wheels[0] if not name.startswith("fpliif_jax/")}, "not in fpliif_jax:")
    # Everything that lies in a package's folder, and nothing else.
    installed = set()
    for part in PARTS:
        for path in pathlib.Path(part).rglob("*"):
            if path.is_file() and (path.parent / "__init__.py").is_file():
                inside = path if part == "fpliif_jax" else pathlib.Path("fpliif_jax", path)
                installed.add(inside.as_posix())
    check(installed ^ wheels[0], "in the tree or in the wheel alone:")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {path.as_posix() for path in pathlib.Path("tests").rglob("*.*") if path.is_file()}
    wanted |= {path.as_posix() for path in pathlib.Path(".ci").iterdir() if path.is_file()}
    wanted |= {"requirements.txt", "requirements-test.txt", "pyproject.toml", "setup.py", "LICENSE"}
    check({name for name in wanted - packed if "__pycache__" not in name}, "the sdist lacks")
    print(f"wheel: {len(wheels[0])} files, sdist: {len(packed)}")


def check(wrong: set[str], what: str) -> None:
    """Ends the process where anything is wrong."""
    if wrong:
        sys.exit(f"error: {what} {', '.join(sorted(wrong))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
