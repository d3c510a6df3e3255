"""Files of `torch.save`: what the authors' scripts write, damage, and hostile pickles."""

import builtins
import collections
import io
import os
import pathlib
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from literal_stn_icnn import LocaliseConv15, randomise
from needs_torch import torch

from fpliif_jax.interop import InteropError, load_torch_checkpoint, stn_icnn_from_torch, torch_files
from fpliif_jax.interop.file_formats import read_file


@pytest.fixture(scope="module")
def conv15() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    network = LocaliseConv15()
    randomise(network, seed=2)
    return network.state_dict()


def _as_numpy_1(content: bytes) -> bytes:
    """Pickles of protocol 2 have their globals as text."""
    return content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


class _NumPy1Pickle:
    """A pickle module for `torch.save` whose output has NumPy 1's names."""

    __name__ = "pickle"
    HIGHEST_PROTOCOL = pickle.HIGHEST_PROTOCOL
    UnpicklingError = pickle.UnpicklingError

    class Pickler(pickle.Pickler):
        def __init__(self, file: Any, protocol: int = 2) -> None:
            self.target, self.buffer = file, io.BytesIO()
            super().__init__(self.buffer, protocol=protocol)

        def dump(self, value: Any) -> None:
            super().dump(value)
            self.target.write(_as_numpy_1(self.buffer.getvalue()))

    @classmethod
    def dump(cls, value: Any, file: Any, protocol: int = 2) -> None:
        cls.Pickler(file, protocol).dump(value)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old format"])
@pytest.mark.parametrize("numpy_1", [True, False], ids=["NumPy 1", "NumPy 2"])
def test_reads_what_the_authors_scripts_save(
    tmp_path: pathlib.Path, conv15: dict[str, Any], zipped: bool, numpy_1: bool
) -> None:
    path = tmp_path / "best.pth.tar"
    network = LocaliseConv15()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    sum(parameter.sum() for parameter in network.parameters()).backward()
    optimizer.step()
    content = {
        "select_net": collections.OrderedDict(conv15),
        "optimizer_select": optimizer.state_dict(),
        "step": 12,
        "epoch": 3,
        "best_error": np.float64(0.0625),
        "others": [np.float32(0.5), np.int64(-4), np.array(1.5, ">f8")[()]],
    }
    module: Any = _NumPy1Pickle if numpy_1 else pickle
    torch.save(content, path, pickle_module=module, _use_new_zipfile_serialization=zipped)
    assert zipfile.is_zipfile(path) == zipped
    data = path.read_bytes()
    assert (b"numpy.core.multiarray" in data) == numpy_1
    assert (b"numpy._core.multiarray" in data) == (not numpy_1)

    loaded = load_torch_checkpoint(path)
    assert (loaded["step"], loaded["epoch"], loaded["best_error"]) == (12, 3, 0.0625)
    assert loaded["others"] == [0.5, -4, 1.5]
    read, expected = stn_icnn_from_torch(loaded), stn_icnn_from_torch(conv15)
    assert jax.tree.structure(read) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, read, expected)


class _Execute:
    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self) -> Any:
        return self.reduced


def write(path: pathlib.Path, content: Any, form: str) -> pathlib.Path:
    if form == "pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    return path


@pytest.mark.parametrize("form", ["zip", "old format", "pickle"])
def test_code_is_refused_and_not_executed(tmp_path: pathlib.Path, form: str) -> None:
    trace = tmp_path / "executed"
    for function, *arguments in (
        (os.system, f"touch {trace}"),
        (eval, f"open({str(trace)!r}, 'w')"),
        (pathlib.Path.touch, trace),
        (np.fromfile, str(tmp_path / "evil.pth")),
        (np.dtype, "O"),
        (np.dtype, [("a", "f8")]),
    ):
        path = write(tmp_path / "evil.pth", {"step": _Execute(function, *arguments)}, form)
        with pytest.raises(InteropError, match=r"evil\.pth .*more than data"):
            load_torch_checkpoint(path)
        assert not trace.exists()


def test_scalars_are_what_they_say(tmp_path: pathlib.Path) -> None:
    """NumPy's own would take any dtype and any state of it."""
    scalar = np.float64(1).__reduce__()[0]
    for arguments in (
        (np.dtype("f8"), b"1234567"),
        (np.dtype("O"), b"12345678"),
        ("f8", b"12345678"),
        (np.dtype("f8"),),
    ):
        content = {"best_error": _Execute(scalar, *arguments)}
        with pytest.raises(InteropError, match=r"evil\.pth"):
            load_torch_checkpoint(write(tmp_path / "evil.pth", content, "zip"))


def test_damaged_missing_and_other_files_are_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InteropError, match=r"no file .*none\.pth"):
        load_torch_checkpoint(tmp_path / "none.pth")
    with pytest.raises(InteropError, match="no file"):
        load_torch_checkpoint(tmp_path)
    for form in ("zip", "old format"):
        path = write(tmp_path / "some.pth", {"a": torch.arange(1000.0)}, form)
        data = path.read_bytes()
        assert load_torch_checkpoint(str(path))["a"][999] == 999
        for length in (0, 1, 10, len(data) // 2, len(data) - 100):
            path.write_bytes(data[:length])
            with pytest.raises(InteropError, match=r"some\.pth"):
                load_torch_checkpoint(path)
        path.write_bytes(b"\x00" * 5000)
        with pytest.raises(InteropError, match=r"some\.pth"):
            load_torch_checkpoint(path)
    path = write(tmp_path / "list.pth", [torch.zeros(2)], "zip")
    with pytest.raises(InteropError, match=r"list\.pth holds a list, not a dictionary"):
        load_torch_checkpoint(path)


def test_absurd_sizes_are_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A record that unpacks to far more than the file.
    path = write(tmp_path / "bomb.pth", {"a": torch.zeros(4)}, "zip")
    bomb = tmp_path / "packed.pth"
    with zipfile.ZipFile(path) as plain, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        for entry in plain.infolist():
            data = plain.read(entry)
            packed.writestr(entry.filename, bytes(2**20) if "data/0" in entry.filename else data)
    with monkeypatch.context() as patch:
        patch.setattr(torch_files, "LARGEST_CHECKPOINT", 2**19)
        with pytest.raises(InteropError, match=r"packed\.pth unpacks to \d+ bytes, more than"):
            load_torch_checkpoint(bomb)
        patch.setattr(torch_files, "LARGEST_CHECKPOINT", 10)
        with pytest.raises(InteropError, match="more than the 10"):
            load_torch_checkpoint(write(tmp_path / "old.pth", {}, "old format"))

    # A storage of 2**40 numbers, with 1000 behind it.
    for form in ("zip", "old format"):
        path = write(tmp_path / "huge.pth", {"a": torch.zeros(1000)}, form)
        # Numbers below 2**16 are 'M' and two bytes in a pickle; a LONG1 of six bytes takes their place.
        claim = b"\x8a\x06" + (2**40).to_bytes(6, "little")
        data, number = path.read_bytes(), b"M" + struct.pack("<H", 1000)
        if form == "zip":
            with zipfile.ZipFile(path) as archive:
                records = {name: archive.read(name) for name in archive.namelist()}
            with zipfile.ZipFile(path, "w") as archive:
                for name, record in records.items():
                    if name.endswith("data.pkl"):
                        assert number in record
                        record = record.replace(number, claim)
                    archive.writestr(name, record)
        else:
            assert number in data
            path.write_bytes(data.replace(number, claim))
        with pytest.raises(InteropError, match=r"huge\.pth"):
            load_torch_checkpoint(path)


def _pickle_of_a_byte_array(size: int) -> bytes:
    return b"\x80\x02cbuiltins\nbytearray\nJ" + struct.pack("<i", size) + b"\x85R."


def _pickle_of_nested_tuples(depth: int) -> bytes:
    """{t: 0} where t is a pair of the same pair of the same pair …: its hash visits 2^depth paths."""
    nested = b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(depth))
    return b"\x80\x02}K\x00" + nested + b"K\x00s."


def _zip_of(pickled: bytes, path: pathlib.Path) -> pathlib.Path:
    write(path, {"a": torch.zeros(2)}, "zip")
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, record in records.items():
            archive.writestr(name, pickled if name.endswith("data.pkl") else record)
    return path


@pytest.mark.parametrize(
    ("pickled", "reason"),
    [
        (_pickle_of_a_byte_array(2**31 - 1), r"it names 'builtins\.bytearray'"),
        (_pickle_of_nested_tuples(100), "a key of a dict is neither text nor a number"),
        (b"\x80\x02N" + b"q\x00h\x00" * 10 + b"\x94\x8f.", "it does what weights do not need"),
        (b"\x80\x02ccollections\nOrderedDict\n]\x85R.", "made of something else than its items"),
    ],
    ids=["byte array", "nested tuples", "a set", "an ordered dict of a list"],
)
def test_what_would_take_all_memory_or_never_end_is_refused(
    tmp_path: pathlib.Path, pickled: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was carried out"))
    with pytest.raises(InteropError, match=rf"evil\.pth .*{reason}"):
        load_torch_checkpoint(_zip_of(pickled, tmp_path / "evil.pth"))
    magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how a file of the older format begins
    (tmp_path / "evil.pth").write_bytes(magic + b"\x80\x02M\xe9\x03." + b"\x80\x02}." + pickled)
    with pytest.raises(InteropError, match=rf"evil\.pth .*{reason}"):
        load_torch_checkpoint(tmp_path / "evil.pth")


@pytest.mark.parametrize(
    ("size", "strides"), [((2**20, 2**20), (0, 0)), ((3,), (1,)), ((2,), (2,))], ids=str
)
def test_a_tensor_that_is_larger_than_its_storage_is_refused(
    tmp_path: pathlib.Path, size: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    class Larger:
        def __reduce__(self) -> Any:
            storage = torch.zeros(2).storage()
            hooks: Any = collections.OrderedDict()
            return torch._utils._rebuild_tensor_v2, (storage, 0, size, strides, False, hooks)

    for form in ("zip", "old format"):
        path = write(tmp_path / "evil.pth", {"a": Larger()}, form)
        with pytest.raises(InteropError, match=r"evil\.pth .*is larger than its storage"):
            load_torch_checkpoint(path)


def test_advice_to_switch_safety_off_is_not_passed_on(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "evil.pth", {"a": _Execute(os.system, "true")}, "zip")
    with pytest.raises(InteropError) as caught:
        load_torch_checkpoint(path)
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
        ("\n<!DOCTYPE html><html><title>Quota exceeded</title>", "a web page, not weights"),
    ],
)
def test_what_a_failed_download_leaves_is_called_what_it_is(
    tmp_path: pathlib.Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InteropError, match=message):
        read_file(tmp_path / name)


def test_without_pytorch_says_how_to_get_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, conv15: dict[str, Any]
) -> None:
    arrays = {name: value.numpy() for name, value in conv15.items()}
    imported = builtins.__import__

    def without_torch(name: str, *arguments: Any, **named: Any) -> Any:
        if name.split(".")[0] == "torch":
            raise ImportError(name)
        return imported(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without_torch)
    for name in [name for name in sys.modules if name.split(".")[0] == "torch"]:
        monkeypatch.delitem(sys.modules, name)
    stn_icnn_from_torch(arrays)
    with pytest.raises(InteropError, match=r"^\S.* needs torch: pip install \".*\[torch\]\"$"):
        load_torch_checkpoint(tmp_path / "some.pth")
