"""Weights from PyTorch, by name: what the files hold, checked entry by entry, as Flax variables.

Nothing of the other side runs: state dicts are plain mappings from names to arrays, and checkpoint
files are read without executing the code that a pickle can carry.
"""

import hashlib
import os
import pathlib
import pickle
import zipfile
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np
from flax import traverse_util

from data_builders.class_names import FACIAL_PARTS
from fpliif_jax import checkpoint
from fpliif_jax.models import create_model, input_shapes

# Files of STN-iCNN are below 0.3 GB, the state of three optimisers included.
LARGEST_CHECKPOINT = 4 * 2**30  # bytes
_NAMED_AT_MOST = 5  # entries of one kind in a message


class InteropError(Exception):
    """Weights do not fit the model, or a file cannot be read; the message says what and where."""


# ------------------------------------------------------------------------- tables of entries


class _Entry(NamedTuple):
    """An entry of a state dict.

    Attributes:
      shape: in PyTorch's layout.
      path: of the leaf among the variables; None: no forward pass reads it, so Flax has no such leaf.
    """

    shape: tuple[int, ...]
    path: tuple[str, ...] | None


_Table = dict[str, _Entry]
_Path = tuple[str, ...]


def _leaf(collection: str, path: _Path | None, name: str) -> _Path | None:
    return None if path is None else (collection, *path, name)


def _weights(
    name: str, path: _Path | None, shape: tuple[int, ...], use_bias: bool = True
) -> _Table:
    """A convolution or dense layer; `shape` is that of its weight, outputs first."""
    table = {f"{name}.weight": _Entry(shape, _leaf("params", path, "kernel"))}
    if use_bias:
        table[f"{name}.bias"] = _Entry(shape[:1], _leaf("params", path, "bias"))
    return table


def _norm(name: str, path: _Path | None, features: int) -> _Table:
    leaves = {
        "weight": _leaf("params", path, "scale"),
        "bias": _leaf("params", path, "bias"),
        "running_mean": _leaf("batch_stats", path, "mean"),
        "running_var": _leaf("batch_stats", path, "var"),
    }
    return {f"{name}.{key}": _Entry((features,), leaf) for key, leaf in leaves.items()}


def _icnn(prefix: str, path: _Path, num_labels: int) -> _Table:
    """The authors' `FaceModel`.

    All of its nodes have parameters for the output integration, but only those of the last layer
    integrate, and into the coarsest row nothing is integrated. The last two of its three last norms
    are not called either.
    """
    widths, kernel, layers = (8, 16, 24, 32), (5, 5), 3
    table: _Table = {}
    for row, width in enumerate(widths):
        own = (*path, f"input_{row}")
        table |= _weights(f"{prefix}input_conv.{row}", (*own, "conv"), (width, 3, *kernel))
        table |= _norm(f"{prefix}input_bnm.{row}", (*own, "norm"), width)
    for layer in range(layers):
        for row, width in enumerate(widths):
            is_last_row = row == len(widths) - 1
            node = f"{prefix}interlink_layers.{layer}.iCNN_Nodelist.{row}"
            joined = sum(widths[max(row - 1, 0) : row + 2])
            # The unused convolution of the last row is as wide as the row before it asks, and 8 more.
            integrated = 8 + sum(widths[-2:]) if is_last_row else sum(widths[row : row + 2])
            is_integrated = layer == layers - 1 and not is_last_row
            blocks = (
                ("inter_conv_node", f"interlink_{layer}_{row}_0", joined),
                ("conv_node", f"interlink_{layer}_{row}_1", width),
                ("output_conv_node", f"integration_{row}" if is_integrated else None, integrated),
            )
            for name, ours, inputs in blocks:
                conv, norm = ((*path, ours, kind) if ours else None for kind in ("conv", "norm"))
                table |= _weights(f"{node}.{name}", conv, (width, inputs, *kernel))
                table |= _norm(f"{node}.{name}_batchnorm", norm, width)
    hidden = 2 * num_labels + 8
    head = (*path, "head_0")
    table |= _weights(f"{prefix}last_conv1", (*head, "conv"), (hidden, widths[0], *kernel))
    table |= _norm(f"{prefix}last_con1_bnm", (*head, "norm"), hidden)
    middle, last = (num_labels, hidden, *kernel), (num_labels, num_labels, 9, 9)
    table |= _weights(f"{prefix}last_conv2", (*path, "head_1", "conv"), middle)
    table |= _norm(f"{prefix}last_con2_bnm", None, num_labels)
    table |= _weights(f"{prefix}last_conv3", (*path, "head_2", "conv"), last)
    table |= _norm(f"{prefix}last_conv3_bnm", None, num_labels)
    return table


def _resnet18(prefix: str, path: _Path) -> _Table:
    """torchvision's ResNet-18 for nine channels and six θ."""
    table = _weights(f"{prefix}conv1", (*path, "conv1"), (64, 9, 7, 7), use_bias=False)
    table |= _norm(f"{prefix}bn1", (*path, "bn1"), 64)
    inputs = 64
    for group in range(4):
        width = 64 * 2**group
        for block in range(2):
            theirs, ours = f"{prefix}layer{group + 1}.{block}", f"layer{group + 1}_{block}"
            for index, count in ((1, inputs), (2, width)):
                conv, norm = (*path, f"{ours}_conv{index}"), (*path, f"{ours}_bn{index}")
                table |= _weights(f"{theirs}.conv{index}", conv, (width, count, 3, 3), False)
                table |= _norm(f"{theirs}.bn{index}", norm, width)
            if inputs != width:
                conv, norm = (*path, f"{ours}_downsample_conv"), (*path, f"{ours}_downsample_bn")
                table |= _weights(f"{theirs}.downsample.0", conv, (width, inputs, 1, 1), False)
                table |= _norm(f"{theirs}.downsample.1", norm, width)
            inputs = width
    return table | _weights(f"{prefix}fc", (*path, "dense"), (6 * 2 * 3, inputs))


def _conv15(prefix: str, path: _Path) -> _Table:
    """The authors' `SelectNet`, numbered as in its sequence of layers: mostly convolution, norm, ReLU."""
    table: _Table = {}
    position = 0
    for index in range(15):
        shape = (6, 9 if index == 0 else 6, 3, 2 if index == 10 else 3)
        table |= _weights(f"{prefix}{position}", (*path, f"conv_{index}"), shape)
        if index < 14:
            table |= _norm(f"{prefix}{position + 1}", (*path, f"norm_{index}"), 6)
        position += 2 if index == 9 else 3  # the tenth has no ReLU
    return table


def _localisation(prefix: str, names: list[str]) -> _Table:
    """Of the kind that the names tell; of ResNet-18, which the published results have, if none."""
    conv15 = f"{prefix}localize_net."
    if any(name.startswith(conv15) for name in names):
        return _conv15(conv15, ("localisation",))
    return _resnet18(f"{prefix}model_res.", ("localisation",))


def _fine(prefix: str) -> _Table:
    """The authors' `Stage2Model`."""
    table: _Table = {}
    for index, (network, num_labels) in enumerate(
        (("brows", 2), ("eyes", 2), ("nose", 2), ("mouth", 4))
    ):
        table |= _icnn(f"{prefix}model.{index}.", ("fine", network), num_labels)
    return table


# -------------------------------------------------------------------------------- STN-iCNN

# How entries of the three networks begin: in the joined network, in a checkpoint of the training
# scripts (there these are keys of dictionaries), and in the state dict of one network.
_JOINED = {"coarse": "modelA.", "localisation": "stn_model.", "fine": "modelC."}
_SAVED = {"coarse": "model1", "localisation": "select_net", "fine": "model2"}
_ALONE = {
    "coarse": ("input_conv.", "input_bnm.", "interlink_layers.", "last_con"),
    "localisation": ("model_res.", "localize_net."),
    "fine": tuple(f"model.{index}." for index in range(4)),
}


def stn_icnn_from_torch(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """Variables of STN-iCNN from the state dicts of its authors' code (github.com/aod321/STN-iCNN).

    Accepted are those of `FaceModel` (K), `SelectNet` or `SelectNet_resnet` (L) and `Stage2Model` (the
    K_i); of the three joined end to end (`modelA.`, `stn_model.`, `modelC.`); and what the training
    scripts save, {'model1': …, 'select_net': …, 'model2': …} or some of these, whose other entries
    (step, best error, optimisers) are not read. `num_batches_tracked` is ignored. Parameters that the
    authors' network has but never reads are checked and dropped.

    Args:
      state_dict: names to NumPy arrays or PyTorch tensors, of any real dtype.

    Returns:
      {'params': …, 'batch_stats': …}, float32 NumPy arrays that share no memory with the input: the
      variables of the model with model.variant='official' (with `SelectNet`, model.localisation='conv15'), or
      of the networks given, under 'coarse', 'localisation' and 'fine'.

    Raises:
      InteropError: the mapping is none of these; or entries are missing, unknown, misshapen, or not
        finite real numbers. The message names them.
    """
    if not isinstance(state_dict, Mapping):
        raise _unknown_kind(f"a {type(state_dict).__name__}")
    saved = {network: key for network, key in _SAVED.items() if key in state_dict}
    if saved:
        prefixes = {network: f"{key}." for network, key in saved.items()}
        entries = _flattened(state_dict, list(saved.values()))
        title = f"checkpoint with {', '.join(map(repr, saved.values()))}"
    else:
        entries = {str(name): value for name, value in state_dict.items()}
        if _begin(entries, tuple(_JOINED.values())):
            prefixes, title = _JOINED, "state dict of the joined network"
        else:
            networks = [name for name, starts in _ALONE.items() if _begin(entries, starts)]
            if not networks:
                raise _unknown_kind("a mapping with " + (_some(list(entries)) or "no entries"))
            # Were there entries of two, those of the second would be reported as unknown.
            prefixes = {networks[0]: ""}
            title = f"state dict of the {networks[0]} network"
    table: _Table = {}
    for network, prefix in prefixes.items():
        if network == "coarse":
            table |= _icnn(prefix, ("coarse",), num_labels=9)
        elif network == "localisation":
            table |= _localisation(prefix, list(entries))
        else:
            table |= _fine(prefix)
    return _variables(entries, table, title)


def _begin(entries: Mapping[str, Any], starts: tuple[str, ...]) -> bool:
    return any(name.startswith(starts) for name in entries)


def _flattened(checkpoint: Mapping[str, Any], keys: list[str]) -> dict[str, Any]:
    entries = {}
    for key in keys:
        if not isinstance(checkpoint[key], Mapping):
            found = type(checkpoint[key]).__name__
            raise InteropError(f"{key!r} of the checkpoint is a {found}, not a state dict")
        entries |= {f"{key}.{name}": value for name, value in checkpoint[key].items()}
    return entries


def _unknown_kind(found: str) -> InteropError:
    return InteropError(
        f"not weights of STN-iCNN: {found}. Accepted are state dicts of the authors' FaceModel "
        "(input_conv.…), SelectNet (localize_net.…), SelectNet_resnet (model_res.…) and Stage2Model "
        "(model.0.… to model.3.…), of the joined network (modelA.…, stn_model.…, modelC.…), and "
        "checkpoints with 'model1', 'select_net' or 'model2'"
    )


# ------------------------------------------------------------------------------ conversion


def _variables(entries: Mapping[str, Any], table: _Table, title: str) -> dict[str, Any]:
    """The leaves of `table` from the entries of its names, if these are all there, and no others."""
    entries = {
        name: value
        for name, value in entries.items()
        if name.rpartition(".")[2] != "num_batches_tracked"
    }
    misshapen, not_numbers, leaves = [], [], {}
    for name, (shape, path) in table.items():
        if name not in entries:
            continue
        # The shape first: a tensor of a hostile file may claim any size without having the memory.
        found = getattr(entries[name], "shape", None)
        if found is not None and tuple(found) != shape:
            misshapen.append(f"{name} is {list(found)}, expected {list(shape)}")
            continue
        value = None if found is None else _real_array(entries[name])
        if value is None:
            not_numbers.append(f"{name} ({type(entries[name]).__name__})")
        elif path is not None:
            leaves[path] = _in_flax_layout(value)
    problems = {
        "missing": [name for name in table if name not in entries],
        "unknown": [name for name in entries if name not in table],
        "of another shape": misshapen,
        "not arrays of finite real numbers": not_numbers,
    }
    if any(problems.values()):
        lines = [
            f"{len(names)} {kind}: {_some(names)}" for kind, names in problems.items() if names
        ]
        raise InteropError("\n  ".join([f"this {title} does not fit STN-iCNN:", *lines]))
    return traverse_util.unflatten_dict(leaves)


def _real_array(value: Any) -> np.ndarray | None:
    """float32 of a NumPy array or a PyTorch tensor; None where it is no array of finite real numbers."""
    if hasattr(value, "detach"):
        try:
            value = value.detach().cpu()
            # NumPy has no bfloat16.
            value = value.float().numpy() if value.is_floating_point() else value.numpy()
        except (RuntimeError, TypeError):  # sparse, quantised, without memory
            return None
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        return None
    with np.errstate(over="ignore"):
        value = np.array(value, np.float32)
    return value if np.isfinite(value).all() else None


def _in_flax_layout(value: np.ndarray) -> np.ndarray:
    """Kernels with inputs before outputs: OIHW -> HWIO, [outputs, inputs] -> [inputs, outputs]."""
    axes = {4: (2, 3, 1, 0), 2: (1, 0)}.get(value.ndim)
    return value if axes is None else np.ascontiguousarray(value.transpose(axes))


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED_AT_MOST
    return ", ".join(names[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


# ------------------------------------------------------------------------ checkpoint files


class _PickledDtype:
    """Takes the place of `numpy.dtype` in a checkpoint: the type of a scalar and nothing else.

    NumPy's own can be given a state by the file that it does not survive.
    """

    def __init__(self, code: str, *flags: Any) -> None:
        del flags
        if code not in ("f8", "f4", "i8"):
            raise pickle.UnpicklingError(f"a scalar of dtype {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


def _pickled_scalar(dtype: _PickledDtype, data: bytes) -> float | int:
    """Takes the place of NumPy's maker of scalars in a checkpoint."""
    if not isinstance(dtype, _PickledDtype) or len(data) != dtype.dtype.itemsize:
        raise pickle.UnpicklingError("a scalar whose size is not that of its dtype")
    return np.frombuffer(data, dtype.dtype)[0].item()


def load_torch_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a file of `torch.save`, of the zip format or the older one, without executing its code.

    Besides what `torch.load(weights_only=True)` admits, a file may hold NumPy scalars, under the
    names of NumPy 1 and 2: the authors' files have their best error so.

    Args:
      path: of a `.pth` or `.pth.tar` file.

    Returns:
      the dictionary saved, with PyTorch tensors on the host.

    Raises:
      InteropError: PyTorch is missing; or the file is missing, damaged, larger than
        `LARGEST_CHECKPOINT` (unpacked), holds anything but data, or no dictionary.
    """
    try:
        import torch
    except ImportError as error:
        raise InteropError(
            f"reading {path} needs PyTorch, which is not installed: pip install torch"
        ) from error
    path = pathlib.Path(path)
    if not path.is_file():
        raise InteropError(f"there is no file {path}")
    scalar_names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    allowed = [(_PickledDtype, "numpy.dtype"), *((_pickled_scalar, name) for name in scalar_names)]
    try:
        size = _unpacked_size(path)
        if size > LARGEST_CHECKPOINT:
            raise InteropError(
                f"{path} unpacks to {size} bytes, more than the {LARGEST_CHECKPOINT} allowed"
            )
        with torch.serialization.safe_globals(allowed):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except InteropError:
        raise
    except Exception as error:  # a damaged pickle raises anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InteropError(
            f"{path} is damaged, is not a PyTorch checkpoint, or holds more than data (which is "
            f"never executed): {reason}"
        ) from error
    if not isinstance(content, dict):
        raise InteropError(f"{path} holds a {type(content).__name__}, not a dictionary of weights")
    return content


def read_stn_icnn(
    path: str | os.PathLike[str], config: ml_collections.ConfigDict
) -> checkpoint.InferenceCheckpoint:
    """The model in a file of STN-iCNN's authors, for evaluation.

    Args:
      path: of a `.pth` or `.pth.tar` file with all networks.
      config: of the run; its model must be the one in the file (model.variant='official').

    Raises:
      InteropError: the file cannot be read or holds other entries, or the config is of FP-LIIF.
      CheckpointError: its networks are not those of the config.
    """
    if config.model.name != "stn_icnn":
        raise InteropError(
            f"{path}: only files of STN-iCNN's authors can be read; config.model.name is "
            f"{config.model.name!r}: use --config=configs/stn_icnn_helen_official.py"
        )
    content = load_torch_checkpoint(path)
    try:
        variables = stn_icnn_from_torch(content)
    except InteropError as error:
        raise InteropError(f"{path}: {error}") from error
    shapes = input_shapes(config.model, config.data.image_size)
    wanted = jax.eval_shape(create_model(config.model).init, jax.random.key(0), *shapes)
    checkpoint.check_same_arrays(variables, wanted, pathlib.Path(path))
    digest = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
    return checkpoint.InferenceCheckpoint(
        config, variables, FACIAL_PARTS, 0, None, f"weights of {path} (sha256 {digest[:16]}…)"
    )


def _unpacked_size(path: pathlib.Path) -> int:
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())
