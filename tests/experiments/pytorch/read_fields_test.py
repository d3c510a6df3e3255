"""Tests that the trainer in PyTorch passes over no field of a config in silence."""

import pathlib
from collections.abc import Callable

import ml_collections
import pytest
from needs_torch import torch
from tiny_run import tiny_config

from fpliif_jax.commands.interruption import Interruption
from fpliif_jax.configs import fp_liif, lapa
from fpliif_jax.data_builders.errors import SettingsError
from fpliif_jax.experiments.pytorch import read_fields, train_and_evaluate
from fpliif_jax.fields import config_fields
from fpliif_jax.run_folder.run_config import flatten_config, json_config


def _record_reads(config: ml_collections.ConfigDict, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The set to which every field is added that is read of the config by name."""
    reads: set[str] = set()
    prefixes = {id(config): ""} | {
        id(group): f"{name}."
        for name, group in config.items()
        if isinstance(group, ml_collections.ConfigDict)
    }

    def record(original: Callable[..., object]) -> Callable[..., object]:
        def recorded(node: ml_collections.ConfigDict, name: str, *rest: object) -> object:
            if id(node) in prefixes:
                reads.add(prefixes[id(node)] + name)
            return original(node, name, *rest)

        return recorded

    for method in ("__getattr__", "get"):
        original = getattr(ml_collections.ConfigDict, method)
        monkeypatch.setattr(ml_collections.ConfigDict, method, record(original))
    return reads


def test_the_fields_that_the_table_says_are_read_are_those_that_a_run_reads(
    lapa_download: pathlib.Path,
    data_dir: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tiny_config(lapa_download, data_dir).copy_and_resolve_references().unlock()
    config.train.epochs = 2  # validation after the last epoch asks no field
    config.data.train_subset = 4  # chosen by data.split_seed
    config.eval.dataset, config.eval.manual_dir = "lapa", str(lapa_download)  # with eval.labels
    config.eval.data_dir = str(data_dir)
    config.deterministic, config.matmul_precision = False, "highest"  # as PyTorch is set anyway
    config.lock()
    reads = _record_reads(config, monkeypatch)
    train_and_evaluate.apply_to_torch(config)
    assert train_and_evaluate.run(config, tmp_path, torch.device("cpu"), Interruption())
    monkeypatch.undo()
    decisive = {
        field for field in flatten_config(json_config(config)) if read_fields._is_decisive(field)
    }
    # model.dtype follows it, and is what is read.
    marked = {field for field, known in config_fields.FIELDS.items() if known.in_pytorch}
    assert (decisive & reads) | {"dtype"} == marked


@pytest.mark.parametrize("config", [fp_liif.get_config(), lapa.get_config(), tiny_config()])
def test_experiments_of_the_paper_are_trained(config: ml_collections.ConfigDict) -> None:
    config.unlock()
    config.model.remat, config.train.microbatch = True, 2  # last bits
    config.data.synthetic.num_train, config.study.equivalence_margin = 4, 1.0
    config.train.clip_norm = None  # unset is as before there was the field
    read_fields.check_read(config)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("train.clip_norm", 1.0),
        ("train.optimizer", "sgd"),
        ("train.init_from", "weights:drawn"),
        ("augment.noise", (0.0, 0.1)),
        ("eval.views", 3),
    ],
)
def test_a_field_that_is_not_read_is_refused(field: str, value: object) -> None:
    config = tiny_config().copy_and_resolve_references().unlock()
    group, name = field.split(".")
    config[group][name] = value
    with pytest.raises(SettingsError, match=f"^config.{field} is .*: the trainer of PyTorch does"):
        read_fields.check_read(config)
