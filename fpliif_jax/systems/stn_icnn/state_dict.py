"""STN-iCNN: the names, shapes and layouts of its authors' code (github.com/aod321/STN-iCNN)."""

from collections.abc import Mapping
from typing import Any

from fpliif_jax.nn.variables import Variables
from fpliif_jax.systems.state_dict import (
    InteropError,
    Path,
    Table,
    named_entries,
    norm_entries,
    some,
    to_variables,
    unwrapped,
    weight_entries,
    without_counters,
)

# Fields of config.model that every network of the authors has.
AUTHORS_SETTINGS = {"row_features": (8, 16, 24, 32), "interlinked_layers": 3}


def _icnn(prefix: str, path: Path, num_labels: int) -> Table:
    """The authors' `FaceModel`.

    All of its nodes have parameters for the output integration, but only those of the last layer
    integrate, and into the coarsest row nothing is integrated. The last two of its three last norms
    are not called either.
    """
    widths, layers = AUTHORS_SETTINGS["row_features"], AUTHORS_SETTINGS["interlinked_layers"]
    kernel = (5, 5)
    table: Table = {}
    for row, width in enumerate(widths):
        own = (*path, f"input_{row}")
        table |= weight_entries(f"{prefix}input_conv.{row}", (*own, "conv"), (width, 3, *kernel))
        table |= norm_entries(f"{prefix}input_bnm.{row}", (*own, "norm"), width)
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
                table |= weight_entries(f"{node}.{name}", conv, (width, inputs, *kernel))
                table |= norm_entries(f"{node}.{name}_batchnorm", norm, width)
    hidden = 2 * num_labels + 8
    head = (*path, "head_0")
    table |= weight_entries(f"{prefix}last_conv1", (*head, "conv"), (hidden, widths[0], *kernel))
    table |= norm_entries(f"{prefix}last_con1_bnm", (*head, "norm"), hidden)
    middle, last = (num_labels, hidden, *kernel), (num_labels, num_labels, 9, 9)
    table |= weight_entries(f"{prefix}last_conv2", (*path, "head_1", "conv"), middle)
    table |= norm_entries(f"{prefix}last_con2_bnm", None, num_labels)
    table |= weight_entries(f"{prefix}last_conv3", (*path, "head_2", "conv"), last)
    table |= norm_entries(f"{prefix}last_conv3_bnm", None, num_labels)
    return table


def _resnet18(prefix: str, path: Path) -> Table:
    """torchvision's ResNet-18 for nine channels and six θ."""
    table = weight_entries(f"{prefix}conv1", (*path, "conv1"), (64, 9, 7, 7), use_bias=False)
    table |= norm_entries(f"{prefix}bn1", (*path, "bn1"), 64)
    inputs = 64
    for group in range(4):
        width = 64 * 2**group
        for block in range(2):
            theirs, ours = f"{prefix}layer{group + 1}.{block}", f"layer{group + 1}_{block}"
            for index, count in ((1, inputs), (2, width)):
                conv, norm = (*path, f"{ours}_conv{index}"), (*path, f"{ours}_bn{index}")
                table |= weight_entries(f"{theirs}.conv{index}", conv, (width, count, 3, 3), False)
                table |= norm_entries(f"{theirs}.bn{index}", norm, width)
            if inputs != width:
                conv, norm = (*path, f"{ours}_downsample_conv"), (*path, f"{ours}_downsample_bn")
                table |= weight_entries(
                    f"{theirs}.downsample.0", conv, (width, inputs, 1, 1), False
                )
                table |= norm_entries(f"{theirs}.downsample.1", norm, width)
            inputs = width
    return table | weight_entries(f"{prefix}fc", (*path, "dense"), (6 * 2 * 3, inputs))


def _conv15(prefix: str, path: Path) -> Table:
    """The authors' `SelectNet`, numbered as in its sequence of layers: mostly convolution, norm, ReLU."""
    table: Table = {}
    position = 0
    for index in range(15):
        shape = (6, 9 if index == 0 else 6, 3, 2 if index == 10 else 3)
        table |= weight_entries(f"{prefix}{position}", (*path, f"conv_{index}"), shape)
        if index < 14:
            table |= norm_entries(f"{prefix}{position + 1}", (*path, f"norm_{index}"), 6)
        position += 2 if index == 9 else 3  # the tenth has no ReLU
    return table


def _localisation(prefix: str, names: list[str]) -> Table:
    """Entries of the localisation network that the names are of; if none, of ResNet-18, as in the published results."""
    conv15 = f"{prefix}localize_net."
    if any(name.startswith(conv15) for name in names):
        return _conv15(conv15, ("localisation",))
    return _resnet18(f"{prefix}model_res.", ("localisation",))


def _fine(prefix: str) -> Table:
    """The authors' `Stage2Model`."""
    table: Table = {}
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


def stn_icnn_from_torch(state_dict: Mapping[str, Any]) -> Variables:
    """Variables of STN-iCNN from the state dicts of its authors' code (github.com/aod321/STN-iCNN).

    Accepted are those of `FaceModel` (K), `SelectNet` or `SelectNet_resnet` (L) and `Stage2Model` (the
    K_i); of the three joined end to end (`modelA.`, `stn_model.`, `modelC.`); and what the training
    scripts save, {'model1': …, 'select_net': …, 'model2': …} or some of these, whose other entries
    (step, best error, optimisers) are not read. `num_batches_tracked` is ignored. Parameters that the
    authors' network has but never reads are checked and dropped.

    Args:
      state_dict: names to NumPy arrays or PyTorch tensors, of any floating dtype.

    Returns:
      {'params': …, 'batch_stats': …}, float32 NumPy arrays that share no memory with the input: the
      variables of the model with model.variant='official' (with `SelectNet`, model.localisation='conv15'), or
      of those networks that there are entries of, under 'coarse', 'localisation' and 'fine'.

    Raises:
      InteropError: the mapping is none of these; or entries are missing, unknown, misshapen, or not
        finite floating-point numbers. The message names them.
    """
    if not isinstance(state_dict, Mapping):
        raise _unknown_kind(f"a {type(state_dict).__name__}")
    state_dict = unwrapped(state_dict)
    saved = {network: key for network, key in _SAVED.items() if key in state_dict}
    if saved:
        prefixes = {network: f"{key}." for network, key in saved.items()}
        entries = _flattened(state_dict, list(saved.values()))
        title = f"checkpoint with {', '.join(map(repr, saved.values()))}"
    else:
        entries = named_entries(state_dict)
        if _begin(entries, tuple(_JOINED.values())):
            prefixes, title = _JOINED, "state dict of the joined network"
        else:
            networks = [name for name, starts in _ALONE.items() if _begin(entries, starts)]
            if not networks:
                raise _unknown_kind("a mapping with " + (some(entries) or "no entries"))
            # Were there entries of two, those of the second would be reported as unknown.
            prefixes = {networks[0]: ""}
            title = f"state dict of the {networks[0]} network"
    table: Table = {}
    for network, prefix in prefixes.items():
        if network == "coarse":
            table |= _icnn(prefix, ("coarse",), num_labels=9)
        elif network == "localisation":
            table |= _localisation(prefix, list(entries))
        else:
            table |= _fine(prefix)
    title = f"this {title} does not fit STN-iCNN"
    return to_variables(without_counters(entries), table, title)


def _begin(entries: Mapping[str, Any], starts: tuple[str, ...]) -> bool:
    return any(name.startswith(starts) for name in entries)


def _flattened(checkpoint: Mapping[str, Any], keys: list[str]) -> dict[str, Any]:
    entries = {}
    for key in keys:
        if not isinstance(checkpoint[key], Mapping):
            kind = type(checkpoint[key]).__name__
            raise InteropError(f"{key!r} of the checkpoint is a {kind}, not a state dict")
        entries |= named_entries(checkpoint[key], f"{key}.")
    return entries


def _unknown_kind(problem: str) -> InteropError:
    return InteropError(
        f"not weights of STN-iCNN: {problem}. Accepted are state dicts of the authors' FaceModel "
        "(input_conv.…), SelectNet (localize_net.…), SelectNet_resnet (model_res.…) and Stage2Model "
        "(model.0.… to model.3.…), of the joined network (modelA.…, stn_model.…, modelC.…), and "
        "checkpoints with 'model1', 'select_net' or 'model2'"
    )
