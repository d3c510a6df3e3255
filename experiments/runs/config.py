"""The config of a run, and what a study asks of it by name."""

import dataclasses
import functools
from collections.abc import Collection
from typing import Annotated, Any

from msgspec import Meta

from fpliif_jax.experiments.runs import config_check, typed_json
from fpliif_jax.experiments.runs.bounded_files import UnreadableError
from fpliif_jax.experiments.runs.value_types import ELSEWHERE, is_integer
from fpliif_jax.fields import config_fields
from fpliif_jax.fields.config_fields import Role
from fpliif_jax.fields.json_types import Fields, JsonObject
from fpliif_jax.run_folder.run_config import flatten_config


@dataclasses.dataclass(frozen=True)
class _Model:
    name: str
    system: str | None = None


@dataclasses.dataclass(frozen=True)
class _Data:
    name: str
    image_size: Any = None
    labels: Any = None
    synthetic: JsonObject = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Train:
    init_from: Any = None


@dataclasses.dataclass(frozen=True)
class _Eval:
    dataset: Any = None
    labels: Any = None


@dataclasses.dataclass(frozen=True)
class _Seeds:
    initialisation: int | None = None
    data_order: int | None = None
    augmentation: int | None = None


@dataclasses.dataclass(frozen=True)
class _Study:
    equivalence_margin: Annotated[float, Meta(gt=0, le=100)] = 0.5  # F1 points


@dataclasses.dataclass(frozen=True)
class _Form:
    """What a config must have, of whatever system."""

    seed: int
    model: _Model
    data: _Data
    train: _Train
    eval: _Eval
    seeds: _Seeds = _Seeds()
    study: _Study = _Study()


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """A config of config.json or results.json; None stands for fields that earlier versions lack.

    Attributes:
      content: all of it, nested.
      seed: of all sources of variation that have none of their own.
      model: name of the system; `ELSEWHERE` of label maps that were made elsewhere, whose other fields are of any form.
      system: whose label maps these are; None of a run.
      data_name: of the set that is trained on.
      eval_dataset: of the set that is scored, where the config names one.
      image_size: in pixels.
      labels: whose classes those of the scored set are made.
      init_from: the weights that training starts from.
      margin: of equivalence, in F1 points.
      synthetic: the settings of the drawing of faces, also where a run draws none.
    """

    content: JsonObject
    seed: int
    model: str
    system: str | None
    data_name: str
    eval_dataset: str | None
    image_size: int | None
    labels: str | None
    init_from: str | None
    margin: float
    synthetic: JsonObject

    @classmethod
    def of(cls, content: JsonObject, name: str = "config.json") -> "RunConfig":
        """A nested config.

        Raises:
          UnreadableError: names the first field that is missing or impossible.
        """
        form = typed_json.parse(_Form, content, name)
        config_check.check_names(content, name)
        size = form.data.image_size
        if form.model.name == ELSEWHERE:
            if form.model.system is None:
                raise UnreadableError(f"{name}: model has no 'system'")
        else:
            if not is_integer(size) or size < 1:
                raise UnreadableError(f"{name}: data.image_size is not a number of pixels")
            config_check.check_types(content, form.model.name, name)
        return cls(
            content=content,
            seed=form.seed,
            model=form.model.name,
            system=form.model.system,
            data_name=form.data.name,
            eval_dataset=form.eval.dataset,
            image_size=size,
            labels=(form.data if form.eval.dataset is None else form.eval).labels,
            init_from=form.train.init_from,
            margin=form.study.equivalence_margin,
            synthetic=form.data.synthetic,
        )

    def problem_of_seeds(self, sources: Collection[str]) -> str | None:
        """The first of the sources of variation that follow the seed and have another one, in words; None of none."""
        seeds = self.content.get("seeds", {})
        others = (source for source in sources if seeds.get(source) != self.seed)
        return next(
            (f"follows_seed has {one}, whose seed is not the run's" for one in others), None
        )

    @property
    def is_of_elsewhere(self) -> bool:
        """Whether it is of label maps that were made elsewhere."""
        return self.model == ELSEWHERE

    @functools.cached_property
    def flat(self) -> Fields:
        """All fields with their values, for who looks at all fields alike."""
        return flatten_config(self.content)

    @functools.cached_property
    def scoring(self) -> Fields:
        """The fields that decide how predictions are scored."""
        return {
            field: value
            for field, value in self.flat.items()
            if config_fields.has_role(field, Role.SCORING)
        }

    @property
    def drawing(self) -> JsonObject:
        """The settings of the faces that a run draws itself, of those that are set; empty where it draws none."""
        if not self.synthetic.get("num_train"):
            return {}
        known = {
            name: value for name, value in self.synthetic.items() if value not in (None, [], ())
        }
        for name in {"without", "also"} & known.keys():
            known[name] = sorted(set(known[name]))  # the set is the same in any order
        return known
