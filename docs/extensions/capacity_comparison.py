"""Tables of docs/capacity.md: what is compiled now, beside what was aimed at and what was compiled before."""

from collections.abc import Mapping
from typing import NamedTuple

from kept_tables import kept
from markdown_tables import table

from fpliif_jax.fields.json_types import JsonObject

_STEP = "training: parsing"
_CEILING, _KERNELS, _TRAFFIC = "ceiling, images/s", "kernels", "GB an image"
_MEMORY = "GiB"
_DIGITS = {_CEILING: 0, _KERNELS: 0, _TRAFFIC: 2, _MEMORY: 2}


class _Aim(NamedTuple):
    of: str
    what: str
    at_least: float | None
    at_most: float | None
    file: str
    program: str = _STEP


_AIMS = (
    _Aim("prediction, h100", _CEILING, 900, None, "lapa-h100", "prediction"),
    _Aim("prediction, a100", _CEILING, 500, None, "lapa-a100", "prediction"),
    _Aim(
        *("prediction in bfloat16, h100", _CEILING, 1350, None),
        *("lapa-bfloat16-prediction-h100", "prediction"),
    ),
    _Aim("training, microbatch 4, h100", _TRAFFIC, None, 14, "lapa-training-of-4-h100"),
    _Aim("the same", _KERNELS, None, 16_000, "lapa-training-of-4-h100"),
    _Aim("the same in bfloat16", _TRAFFIC, None, 8, "lapa-bfloat16-training-of-4-h100"),
)
# Cards on which a batch of 64 has to train as `auto` chooses.
_CARDS = ("rtx4090", "a100_40gb", "h100")


class _Earlier(NamedTuple):
    of: str
    numbers: Mapping[str, float]
    file: str
    program: str
    changed: str


def _numbers(memory: float, kernels: int, traffic: float, ceiling: int) -> Mapping[str, float]:
    return {_MEMORY: memory, _KERNELS: kernels, _TRAFFIC: traffic, _CEILING: ceiling}


_COLUMNS = "columns from two cells"
_STEPS = f"{_COLUMNS}, sums of microbatches in one vector"
_EARLIER = (
    _Earlier(
        *("stn-icnn-helen, training: end_to_end", _numbers(3.10, 4118, 0.89, 3525)),
        *("stn_icnn_helen-h100", "training: end_to_end", "–"),
    ),
    _Earlier(
        *("lapa, training, microbatch 4, all queries at once", _numbers(5.64, 16_141, 13.54, 244)),
        *("lapa-training-of-4-h100", _STEP, _STEPS),
    ),
    _Earlier(
        *("the same, chunks of 65,536 queries", _numbers(6.71, 26_492, 19.77, 169)),
        *("lapa-training-of-4-in-chunks-h100", _STEP, _STEPS),
    ),
    _Earlier(
        *("the same with `remat`", _numbers(2.60, 24_780, 17.43, 190)),
        *("lapa-training-of-4-in-chunks-with-remat-h100", _STEP, _STEPS),
    ),
    _Earlier(
        *("the first in bfloat16", _numbers(3.84, 18_141, 7.70, 435)),
        *("lapa-bfloat16-training-of-4-h100", _STEP, f"{_STEPS}, weights cast once"),
    ),
    _Earlier(
        *("lapa, training, 16 of 64 on each of four", _numbers(33.32, 1479, 13.47, 245)),
        *("lapa-h100-4-devices", _STEP, _COLUMNS),
    ),
    _Earlier(
        *("lapa, prediction", _numbers(0.34, 348, 4.17, 784)),
        *("lapa-h100", "prediction", f"{_COLUMNS}, up to label maps"),
    ),
    _Earlier(
        *("lapa in bfloat16, prediction", _numbers(0.24, 412, 2.75, 1218)),
        *("lapa-bfloat16-prediction-h100", "prediction", "the same, weights cast before"),
    ),
)


def aims() -> str:
    """What was aimed at; a ValueError where it is not met, as the page says that all are."""
    rows = [*map(_aim, _AIMS), *map(_card, _CARDS)]
    return table(("LaPa's config, batch of 64", "aim", "compiled"), rows)


def _aim(aim: _Aim) -> list[str]:
    found = _read(_program(aim.file, aim.program))[aim.what]
    if not (aim.at_least or 0) <= found <= (aim.at_most or found):
        raise ValueError(f"{aim.of}: {aim.what} is {found}")
    bound = f"at least {aim.at_least:,}" if aim.at_least else f"at most {aim.at_most:,}"
    return [aim.of, f"{aim.what}: {bound}", _told(aim.what, found)]


def _card(chip: str) -> list[str]:
    program = _program(f"lapa-{chip}", _STEP)
    if not program["fits"]:
        raise ValueError(f"{chip}: {program['planned_bytes']} do not fit")
    told = f"{_told(_MEMORY, _read(program)[_MEMORY])} GiB, microbatch {program['chosen']['train.microbatch']}"
    return [f"training as `auto` chooses, {chip}", "fits", told]


def earlier() -> str:
    """Numbers of an earlier state, and what is compiled now."""
    head = (_MEMORY, _KERNELS, _TRAFFIC, _CEILING)
    rows = []
    for one in _EARLIER:
        now = _read(_program(one.file, one.program))
        cells = [f"{_told(name, one.numbers[name])} → {_told(name, now[name])}" for name in head]
        rows.append([one.of, *cells, one.changed])
    return table(("h100", *head, "changed since"), rows)


def _program(file: str, name: str) -> JsonObject:
    (found,) = (
        one for one in kept(f"compiled-not-run/{file}.json")["programs"] if one["name"] == name
    )
    return found


def _read(program: JsonObject) -> dict[str, float]:
    return {
        _MEMORY: program["planned_bytes"]["total"] / 2**30,
        _KERNELS: program["kernels"],
        _TRAFFIC: program["bytes"] / program["images"] / 1e9,
        _CEILING: program["ceiling"]["images_per_second"],
    }


def _told(name: str, number: float) -> str:
    return f"{number:,.{_DIGITS[name]}f}"
