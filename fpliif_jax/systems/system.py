"""What a run needs to know of a face parser."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import ml_collections

from fpliif_jax.fields.json_types import Fields
from fpliif_jax.nn.variables import Variables
from fpliif_jax.run_folder.inference_checkpoint import InferenceCheckpoint
from fpliif_jax.systems.labeller import Labeller
from fpliif_jax.systems.network_function import NetworkFunction
from fpliif_jax.systems.protocol import Prediction, Protocol
from fpliif_jax.systems.reading import ROUNDING, Reading
from fpliif_jax.systems.stage import MEAN_F1, Stage, ValidationScore
from fpliif_jax.systems.step_numbers import Chosen, Planned

Config = ml_collections.ConfigDict
Predictor = Callable[[Variables, dict[str, jax.Array]], dict[str, Prediction]]


@dataclasses.dataclass(frozen=True)
class Network:
    """The networks, without their values.

    Attributes:
      create: (config.model, axis over whose devices batch norm is synchronised) -> the networks.
      input_shapes: (config.model, side of the images) -> what `init` of the networks is called with.
      inference_variables: (config.model, variables) -> the variables for calls without gradients.
      multiply_accumulates: (config.model, side of the image, side of the output) -> those of one image by
        part, in the order of computation, see `systems.multiply_accumulates`; None where its paper prints none.
    """

    create: Callable[[Config, str | None], nn.Module]
    input_shapes: Callable[[Config, int], tuple[jax.ShapeDtypeStruct, ...]]
    inference_variables: Callable[[Config, Variables], Variables] = lambda config, variables: (
        variables
    )
    multiply_accumulates: Callable[[Config, int, int], Iterator[tuple[str, int]]] | None = None


@dataclasses.dataclass(frozen=True)
class Training:
    """How the networks are trained.

    Attributes:
      make_stages: (config, networks, class names) -> the stages of config.train.stages, in order; SettingsError where
        one is unknown.
      choose_step_numbers: (config, rows of a batch on one device, JAX's backend, bytes of a device that JAX may use or
        None where that is not known, what a step with some numbers is planned to take) -> the numbers of a training
        step; None: train.microbatch alone, where 'auto' is all of the rows.
      step_fields: the fields of these numbers besides train.microbatch; a run keeps them wherever it goes on.
      validation_scores: name of a stage -> how its validations are read, where that is not by the mean F1;
        metrics.jsonl has each of these scores wherever the protocol of a validation gives it.
    """

    make_stages: Callable[[Config, nn.Module, tuple[str, ...]], list[Stage]]
    choose_step_numbers: Callable[[Config, int, str, int | None, Planned], Chosen] | None = None
    step_fields: tuple[str, ...] = ()
    validation_scores: Mapping[str, ValidationScore] = dataclasses.field(default_factory=dict)

    def validation_score(self, stage: str) -> ValidationScore:
        """How the validations of the stage of that name are read."""
        return self.validation_scores.get(stage, MEAN_F1)


@dataclasses.dataclass(frozen=True)
class Scoring:
    """How the networks are scored.

    Attributes:
      parse_protocol: (text of config.eval.rows, config) -> the protocol; SettingsError where there is none.
      make_predictor: (networks, config, protocols) -> a function of (variables, batch) that gives each protocol's
        prediction by its key; a batch is of `data.batches.evaluation_batches`, with the `label_size` of each protocol.
    """

    parse_protocol: Callable[[str, Config], Protocol]
    make_predictor: Callable[[nn.Module, Config, Sequence[Protocol]], Predictor]


@dataclasses.dataclass(frozen=True)
class Inference:
    """What a trained model does for its user.

    Attributes:
      decodes_any_size: whether the network answers at any size that is asked for; else at that of what it is fed.
      make_labeller: a trained model -> photos in, label maps out.
      make_network_functions: a trained model -> functions of arrays for `fpliif_jax.export`: 'model', and 'encoder'
        and 'decoder' where it has these parts.
      windows: class ids that each window of the output 'windows' of its 'model' is for, see `make_network_functions`;
        () where it has none.
      logit_scale: config -> the factor that the training loss gives logits before the softmax.
    """

    decodes_any_size: bool
    make_labeller: Callable[[InferenceCheckpoint], Labeller]
    make_network_functions: Callable[[InferenceCheckpoint], Mapping[str, NetworkFunction]]
    windows: tuple[tuple[int, ...], ...] = ()
    logit_scale: Callable[[Config], float] = lambda config: 1.0


@dataclasses.dataclass(frozen=True)
class WeightExchange:
    """Weights from and to PyTorch.

    Attributes:
      from_torch: state dict of PyTorch -> variables; InteropError where an entry is not the system's.
      to_torch: variables -> state dict; None where there is no exchange format.
      config_name: of an experiment that such state dicts go with.
      settings_of: variables of `from_torch` -> the fields of config.model that names and shapes tell. They are
        compared before the networks of a config are traced, which takes long where it says they are deep.
    """

    from_torch: Callable[[Mapping[str, Any]], Variables]
    to_torch: Callable[[Variables], dict[str, Any]] | None
    config_name: str
    settings_of: Callable[[Variables], Mapping[str, Any]] = lambda variables: {}


@dataclasses.dataclass(frozen=True)
class Paper:
    """What its paper says, for the report.

    Attributes:
      main_score: name of a data set -> (metric, class) that the paper compares there, as results.json has them.
      main_protocol: key of the protocol by which the paper compares; None where it is the first of a run.
      main_tables: name of a data set -> name of the table of the paper (`experiments.plans`) whose experiments runs on
        it are about, where no plan says more; a data set that is missing has none.
      readings: (flat config of a published experiment) -> what the paper's text leaves open.
      effective: (flat config) -> the same with one spelling of each function: fields that are None have the value that
        they stand for, and those that decide nothing are left out.
    """

    main_score: Callable[[str], tuple[str, str]]
    main_protocol: str | None = None
    main_tables: Mapping[str, str] = dataclasses.field(default_factory=dict)
    readings: Callable[[Fields], tuple[Reading, ...]] = lambda paper: ROUNDING
    effective: Callable[[Fields], Fields] = dict


@dataclasses.dataclass(frozen=True)
class System:
    """A face parser: its networks, how they are trained, scored and used.

    Attributes:
      title: its name in its paper, 'FP-LIIF'.
      default_config: every setting, with the paper's value.
      data: what config.data must say, {'framing': 'square'}.
      has_torch_twin: whether `experiments.pytorch` has it, too.
      network, training, scoring, inference, exchange, paper: a part for each who uses it.
    """

    title: str
    default_config: Callable[[], Config]
    data: Mapping[str, str]
    has_torch_twin: bool
    network: Network
    training: Training
    scoring: Scoring
    inference: Inference
    exchange: WeightExchange
    paper: Paper
