"""Tests of fpliif_jax/commands/large_pages.py: when a process starts itself again, and what it keeps."""

import os
import pathlib
import subprocess
import sys

import pytest

from fpliif_jax.commands import large_pages

_ROOT = pathlib.Path(__file__).parents[2]
_CODE = """
import os, pathlib, sys
from fpliif_jax.commands import large_pages
sys.argv[0] = sys.argv[1]  # as an installed command is started
large_pages._KERNEL = pathlib.Path(sys.argv[2])
large_pages.restart_with("fpliif_jax.main")
print(os.getpid(), os.environ.get("GLIBC_TUNABLES"), sys.argv[3:])
"""
_HAS_TUNABLE = "CS_GNU_LIBC_VERSION" in os.confstr_names and tuple(
    map(int, os.confstr("CS_GNU_LIBC_VERSION").split()[1].split(".")[:2])
) >= (2, 35)


@pytest.mark.skipif(not _HAS_TUNABLE, reason="this C library has no such tunable")
@pytest.mark.parametrize(
    ("started", "kernel", "given", "setting"),
    [
        ("fpliif-train", "always [madvise] never", None, "glibc.malloc.hugetlb=1"),
        (
            "fpliif-train",
            "always [madvise] never",
            "glibc.rtld.nns=5",
            "glibc.rtld.nns=5:glibc.malloc.hugetlb=1",
        ),
        (
            "fpliif-train",
            "always [madvise] never",
            "glibc.malloc.hugetlb=0",
            "glibc.malloc.hugetlb=0",
        ),
        ("fpliif-train", "[always] madvise never", None, "None"),
        ("fpliif-train", "always madvise [never]", None, "None"),
        ("fpliif-train", None, None, "None"),
        ("of_python.py", "always [madvise] never", None, "None"),
    ],
)
def test_a_process_is_started_again_where_that_helps(
    tmp_path: pathlib.Path, started: str, kernel: str | None, given: str | None, setting: str
) -> None:
    if kernel is not None:
        (tmp_path / "enabled").write_text(kernel)
    environment = {name: text for name, text in os.environ.items() if name != "GLIBC_TUNABLES"}
    if given is not None:
        environment["GLIBC_TUNABLES"] = given
    child = subprocess.Popen(
        [sys.executable, "-c", _CODE, started, str(tmp_path / "enabled"), "a b", "--c"],
        stdout=subprocess.PIPE,
        cwd=_ROOT,
        env=environment,
        text=True,
    )
    assert child.communicate(timeout=60)[0] == f"{child.pid} {setting} ['a b', '--c']\n"
    assert child.returncode == 0


def test_under_a_debugger_nothing_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.setattr(large_pages.command_names, "is_started", lambda command: True)
    monkeypatch.setattr(large_pages, "_are_for_who_asks", lambda: True)
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("started again"))
    before = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        large_pages.restart_with("fpliif_jax.main")
    finally:
        sys.settrace(before)
