"""Plans of one's own: a TOML file, or the same content as JSON, and the plan that it means.

    title = "Does the edge loss help on photographs?"
    config = "celebamask_hq_small"          # of every variant: a name, or a file beside this one
    baseline = "lambda=10"
    seeds = "0-4"
    margin = 0.5                            # F1 points within which two variants count as equal
    overrides.train.epochs = 4              # of every variant

    [variants."lambda=10"]
    label = "λ = 10"

    [variants."lambda=0"]
    label = "λ = 0"
    overrides.loss.edge_weight = 0.0

    [questions.edge_loss]
    text = "Without the edge loss, is the mean F1 lower?"
    variant = "lambda=0"                    # against the baseline, unless `against` names another
    expects = "lower"                       # higher | lower | different | equivalent

It is data, but for `config`: where that names a Python file of yours, that file is run, as --config runs it. Look at
the files that come with somebody else's plan. docs/studies.md lists every key.
"""

import pathlib
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from fpliif_jax import configs
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, read_regular
from fpliif_jax.experiments.plans import scales
from fpliif_jax.experiments.plans.plan_content import MODULES
from fpliif_jax.experiments.plans.plan_values import (
    HINT,
    Content,
    PlanError,
    PlanValues,
    cut_short,
    key_in,
)
from fpliif_jax.experiments.plans.seeds import read_seeds
from fpliif_jax.experiments.plans.variant import Expectation, Question, Table, Variant

SUFFIX = ".toml"
_MARGIN = "study.equivalence_margin"
_PLAN_KEYS = (
    "title",
    "config",
    "baseline",
    "seeds",
    "margin",
    "overrides",
    "rows",
    "variants",
    "questions",
)
_VARIANT_KEYS = ("label", "config", "overrides", "rows", "needs", "then", "seeds")
_QUESTION_KEYS = ("text", "variant", "against", "expects", "metric", "class", "row", "against_row")


def read_plan(path: pathlib.Path) -> tuple[Table, str]:
    """The plan in a file and the file's text.

    Raises:
      PlanError: it cannot be read, is no TOML, or is no plan.
    """
    try:
        text = read_regular(path, MEBIBYTE).decode("utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        raise PlanError(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PlanError(f"{path} is no TOML: {error}; {HINT}") from error
    except RecursionError as error:
        raise PlanError(f"{path} is no plan: nested too deeply") from error
    plan = plan_of(content, path.stem, str(path), path.parent)
    _refuse_places(plan, path)
    return plan, text


def _refuse_places(plan: Table, path: pathlib.Path) -> None:
    """A plan is published: where things lie on one machine is no part of it."""
    from fpliif_jax.fields.config_fields import Role, has_role  # here: it must not wait for JAX

    for variant in plan.variants:
        for field, _ in variant.overrides:
            if has_role(field, Role.PLACE):
                raise PlanError(
                    f"{path}: overrides.{field} says where things lie on this machine, which is no part of a plan; "
                    f"give --config.{field}=… when you start it"
                )


def plan_of(content: Any, name: str, where: str, folder: pathlib.Path | None = None) -> Table:
    """The plan that the content of a file means.

    Args:
      content: parsed TOML or JSON.
      name: of the plan.
      where: the file, for messages.
      folder: that files of configs are looked for in, before the working folder; None: not looked for.

    Raises:
      PlanError: it is no plan.
    """
    return _Reader(where, folder).plan(content, name)


def seeds_and_questions(
    content: Any, where: str
) -> tuple[tuple[int, ...] | None, tuple[Question, ...]]:
    """Seeds and questions of a plan, and nothing else of it, whatever its variants have.

    Raises:
      PlanError: it has none that could be read.
    """
    variants = content.get("variants") if isinstance(content, dict) else None
    if not isinstance(variants, dict):
        raise PlanError(f"{where}: it has no variants")
    reader = _Reader(where, None)
    return reader.seeds(content, ""), reader.questions(content, tuple(variants), None)


class _Reader:
    """Reads one plan; every message names its file and the key."""

    def __init__(self, where: str, folder: pathlib.Path | None) -> None:
        self._values = PlanValues(where)
        self._folder = folder

    def plan(self, content: Any, name: str) -> Table:
        """The whole plan."""
        self._values.check_name(name, "the file's name")
        content = self._values.table(content, "", _PLAN_KEYS)
        shared = self._values.overrides(content, "")
        if "margin" in content:
            shared[_MARGIN] = self._values.number(content, "margin", "of F1 points, as 0.5")
        rows = self._rows(content, "")
        config = self._config(content, "") if "config" in content else None
        variants = tuple(
            self._variant(one, variant, config, shared, rows)
            for variant, one in self._values.entries(content, "variants").items()
        )
        names = tuple(variant.name for variant in variants)
        if not names:
            self._values.refuse("variants", "there are none; add [variants.NAME]")
        self._check_needs(variants)
        baseline = self._values.text(content, "baseline", "", None)
        if baseline is not None:
            self._check_variant(baseline, names, "baseline")
        questions = self.questions(content, names, baseline)
        title = self._values.text(content, "title", "", name)
        seeds = self.seeds(content, "")
        return Table(name, title, variants, baseline, seeds, questions, is_published=False)

    def _check_needs(self, variants: tuple[Variant, ...]) -> None:
        """Each starts from one of the plan, and none from itself, over however many others: no run could be first."""
        needs = {variant.name: variant.needs for variant in variants}
        for name, needed in needs.items():
            place, passed = f"variants.{name}.needs", {name}
            if needed is not None:
                self._check_variant(needed, tuple(needs), place)
            while needed is not None and needed not in passed:
                passed.add(needed)
                needed = needs.get(needed)
            if needed == name:
                self._values.refuse(place, "names itself, or what starts from it")

    def questions(
        self, content: Content, names: tuple[str, ...], baseline: str | None
    ) -> tuple[Question, ...]:
        """Its questions about variants of these names."""
        return tuple(
            self._question(one, question, names, baseline)
            for question, one in self._values.entries(content, "questions").items()
        )

    def _variant(
        self,
        content: Any,
        name: str,
        config: str | None,
        shared: Mapping[str, Any],
        rows: tuple[str, ...] | None,
    ) -> Variant:
        place = f"variants.{name}"
        self._values.check_name(name, place)
        content = self._values.table(content, place, _VARIANT_KEYS)
        if "config" in content:
            config = self._config(content, place)
        if config is None:
            self._values.refuse(
                place, 'has no config; add config = "NAME" to it or to the whole plan'
            )
        own = self._values.overrides(content, place)
        own_rows = self._rows(content, place)
        return Variant(
            name=name,
            label=self._values.text(content, "label", place, name),
            config=config,
            overrides=tuple((dict(shared) | own).items()),
            rows=rows if own_rows is None else own_rows,
            needs=self._values.text(content, "needs", place, None),
            then=self._then(content, place),
            seeds=self.seeds(content, place),
        )

    def _question(
        self, content: Any, name: str, names: tuple[str, ...], baseline: str | None
    ) -> Question:
        place = f"questions.{name}"
        self._values.check_name(name, place)
        content = self._values.table(content, place, _QUESTION_KEYS)
        for key in ("text", "variant"):
            if key not in content:
                self._values.refuse(
                    f"{place}.{key}", "is missing; say what is asked, and of which variant"
                )
        variant = self._values.text(content, "variant", place, "")
        against = self._values.text(content, "against", place, baseline)
        if against is None:
            self._values.refuse(
                f"{place}.against", "is missing, and the plan has no baseline; name one"
            )
        self._check_variant(variant, names, f"{place}.variant")
        self._check_variant(against, names, f"{place}.against")
        row = self._values.text(content, "row", place, "")
        against_row = self._values.text(content, "against_row", place, "")
        if variant == against and against_row in ("", row):
            self._values.refuse(
                place, "compares a variant with itself; name another variant or row"
            )
        expects = self._values.text(content, "expects", place, None)
        if expects not in tuple(Expectation):
            choices = ", ".join(Expectation)
            self._values.refuse(
                f"{place}.expects", f"must be one of {choices}, before anything is run"
            )
        metric = self._values.text(content, "metric", place, "")
        return Question(
            name=name,
            text=self._values.text(content, "text", place, ""),
            variant=variant,
            against=against,
            expects=Expectation(expects),
            metric=metric,
            class_name=self._values.text(content, "class", place, "mean" if metric else ""),
            row=row,
            against_row=against_row,
        )

    def _config(self, content: Content, place: str) -> str:
        """The file of an experiment: the package's own by its name, or one beside the plan."""
        value = self._values.text(content, "config", place, "")
        if re.fullmatch(r"\w+", value):
            return f"configs/{value}.py"
        if self._folder is None:
            return value
        beside = self._folder / value
        if not beside.is_file():
            return value
        package_own = pathlib.Path(configs.__file__).parent / beside.name
        if package_own.is_file() and beside.samefile(package_own):
            return f"configs/{beside.name}"
        # 'configs/NAME.py' is always the package's own.
        return f"./{beside}" if scales.is_of_package(str(beside)) else str(beside)

    def _rows(self, content: Content, place: str) -> tuple[str, ...] | None:
        return self._values.texts(content, "rows", place, "of the evaluation, as ['64', '48->64']")

    def _then(self, content: Content, place: str) -> tuple[tuple[str, str], ...]:
        names = self._values.texts(content, "then", place, f"of {', '.join(MODULES)}") or ()
        for name in names:
            if name not in MODULES:
                self._values.refuse(f"{place}.then", f"has {name!r}; there is {', '.join(MODULES)}")
        return tuple(MODULES[name] for name in names)

    def seeds(self, content: Content, place: str) -> tuple[int, ...] | None:
        """Seeds of the plan, or of a variant; None where it says nothing."""
        text = self._values.text(content, "seeds", place, None)
        if text is None:
            return None
        return tuple(read_seeds(text, f"{self._values.where}: {key_in(place, 'seeds')}"))

    def _check_variant(self, name: str, names: tuple[str, ...], place: str) -> None:
        if name not in names:
            listed = ", ".join(names)
            self._values.refuse(
                place, f"is {name!r}, which is no variant; there are {cut_short(listed)}"
            )
