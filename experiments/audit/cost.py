"""What FP-LIIF's paper says about parameters, operations and speed, counted with the code."""

import functools
from collections.abc import Iterator

import ml_collections
import numpy as np

from fpliif_jax.configs import celebamask_hq, lapa
from fpliif_jax.data_builders import BUILDERS
from fpliif_jax.experiments.audit.finding import SET_NAMES, Finding, Tables, same_digits
from fpliif_jax.experiments.audit.sentences import describe
from fpliif_jax.experiments.cost import model_cost
from fpliif_jax.systems import multiply_accumulates


def check(tables: Tables) -> Iterator[Finding]:
    """All findings about FP-LIIF's cost."""
    yield _tail(tables)
    yield _flops_are_macs(tables)
    yield _unfolding(tables)
    yield _speed(tables)
    yield _unet(tables)
    yield _ratios(tables)
    yield _parameters(tables)
    yield _table_6(tables)
    yield _table_4_and_6(tables)
    yield _speed_itself(tables)


@functools.cache
def _parameters_of(dataset: str, decoder: str = "liif") -> int:
    config = {"celebamask_hq": celebamask_hq, "lapa": lapa}[dataset].get_config()
    config.model.decoder = decoder
    return model_cost.count_parameters(config)


def _gmacs(config: ml_collections.ConfigDict, size: int) -> float:
    counted = multiply_accumulates.count(config.model, config.data.image_size, size)
    return sum(counted.values()) / 1e9


def _tail(tables: Tables) -> Finding:
    config = celebamask_hq.get_config()
    features = config.model.features
    printed = tables.one(source="FP-LIIF Table 4", system="FP-LIIF", metric="parameters")
    operations = tables.one(source="FP-LIIF Table 6", protocol="64", metric="gmacs")
    side = tables.one(source="FP-LIIF §3.2", metric="latent_size").value
    parameters = _parameters_of("celebamask_hq") / 1e6
    without = parameters - (9 * features + 1) * features / 1e6
    gmacs = _gmacs(config, 64)
    gmacs_without = gmacs - multiply_accumulates.convolution(int(side), features, features) / 1e9
    needed = not same_digits(without, printed) and same_digits(parameters, printed)
    return describe(
        "fp-liif-tail",
        "recipe",
        "contradiction" if needed else "agrees",
        printed=printed,
        operations=operations,
        parameters=parameters,
        without=without,
        gmacs=gmacs,
        gmacs_without=gmacs_without,
        needed=needed,
    )


def _flops_are_macs(tables: Tables) -> Finding:
    config = celebamask_hq.get_config()
    printed = tables.all(source="FP-LIIF Table 6", metric="gmacs")
    counted = [_gmacs(config, int(value.protocol)) for value in printed]
    ratio = float(np.mean([2 * g / v.value for g, v in zip(counted, printed, strict=True)]))
    lapa_config = lapa.get_config()
    eleven = [_gmacs(lapa_config, int(value.protocol)) for value in printed]
    fits = sum(same_digits(g, v) for g, v in zip(eleven, printed, strict=True))
    return describe(
        "fp-liif-flops",
        "recipe",
        "doubt" if ratio > 1.5 else "agrees",
        ratio=ratio,
        classes=config.model.num_classes,
        classes_of_lapa=lapa_config.model.num_classes,
        fits=fits,
        total=len(printed),
    )


def _table_6(tables: Tables) -> Finding:
    config = celebamask_hq.get_config()
    lines, agree = [("output", "Table 6", "counted, GMACs", "same digits")], 0
    differences = []
    for value in tables.all(source="FP-LIIF Table 6", metric="gmacs"):
        counted = _gmacs(config, int(value.protocol))
        same = same_digits(counted, value)
        agree += same
        differences.append(counted - value.value)
        cells = (value.printed, f"{counted:.3f}", "yes" if same else "no")
        lines.append((f"{value.protocol}²", *cells))
    return describe(
        "fp-liif-table-6",
        "recipe",
        "agrees" if agree == len(differences) else "contradiction",
        table=lines,
        classes=config.model.num_classes,
        largest=max(map(abs, differences)),
        agree=agree,
        total=len(differences),
    )


def _table_4_and_6(tables: Tables) -> Finding:
    short = tables.one(source="FP-LIIF Table 4", system="FP-LIIF", metric="gmacs")
    long = tables.one(source="FP-LIIF Table 6", protocol="256", metric="gmacs")
    counted = _gmacs(celebamask_hq.get_config(), 256)
    same = same_digits(long.value, short) and same_digits(counted, short)
    return describe(
        "fp-liif-table-4-gflops",
        "print",
        "contradiction" if not same else "rounding" if long.value != short.value else "agrees",
        short=short,
        long=long,
        counted=counted,
        same=same,
    )


def _parameters(tables: Tables) -> Finding:
    printed = tables.one(source="FP-LIIF Table 4", system="FP-LIIF", metric="parameters")
    counted = {name: _parameters_of(name) for name in ("celebamask_hq", "lapa")}
    fits = [SET_NAMES[n] for n, count in counted.items() if same_digits(count / 1e6, printed)]
    return describe(
        "fp-liif-parameters",
        "recipe",
        "agrees" if fits else "contradiction",
        printed=printed,
        counted=[
            (SET_NAMES[n], count, len(BUILDERS[n].CLASS_NAMES)) for n, count in counted.items()
        ],
        gap=_parameters_of("celebamask_hq") / 1e6 - printed.value,
        fits=fits,
    )


def _ratios(tables: Tables) -> Finding:
    own = tables.one(source="FP-LIIF Table 4", system="FP-LIIF", metric="parameters").value
    lines, off = [("rival", "printed", "recomputed")], []
    for value in tables.all(source="FP-LIIF Table 4", metric="parameter_ratio"):
        size = tables.one(source="FP-LIIF Table 4", system=value.system, metric="parameters").value
        ratio = size / own
        if not same_digits(ratio, value):
            off.append((value.system, ratio - value.value))
        lines.append((value.system, value.printed, f"{ratio:.2f}"))
    largest = max((abs(gap) for _, gap in off), default=0.0)
    return describe(
        "fp-liif-ratios",
        "print",
        "agrees" if not off else "rounding" if largest < 1 else "contradiction",
        table=lines,
        off=[name for name, _ in off],
        largest=largest,
    )


def _unet(tables: Tables) -> Finding:
    size = tables.one(source="FP-LIIF §5.1", protocol="unet", metric="parameters")
    said = tables.one(source="FP-LIIF §5.1", protocol="unet", metric="parameter_ratio")
    own = tables.one(source="FP-LIIF Table 4", system="FP-LIIF", metric="parameters")
    ratio = size.value / own.value
    built = _parameters_of("lapa", "conv_unet")
    same = same_digits(ratio, said)
    return describe(
        "fp-liif-unet",
        "print",
        "agrees" if same else "contradiction",
        size=size,
        said=said,
        own=own,
        ratio=ratio,
        built=built,
        same=same,
    )


def _unfolding(tables: Tables) -> Finding:
    config = celebamask_hq.get_config()
    model, side = config.model, config.data.image_size
    printed = tables.one(source="FP-LIIF Table 6", protocol=str(side), metric="gmacs")
    parts = multiply_accumulates.count(model, side, side)
    gmacs = sum(parts.values()) / 1e9
    widths = (9 * model.features, *model.rcmlp_features)
    at_output = multiply_accumulates.dense(4 * side**2, widths)
    sampling = multiply_accumulates.SAMPLING * 4 * side**2 * widths[0]
    other = sum(parts.values()) - parts["decoder: RCMLP"] - parts["decoder: sampling"]
    other = (other + at_output + sampling) / 1e9
    on_grid = same_digits(gmacs, printed) and not same_digits(other, printed)
    return describe(
        "fp-liif-unfolding",
        "recipe",
        "contradiction" if on_grid else "agrees",
        other=other,
        gmacs=gmacs,
        on_grid=on_grid,
    )


def _speed(tables: Tables) -> Finding:
    rates = {v.protocol: v for v in tables.all(source="FP-LIIF Table 6", metric="fps")}
    work = {v.protocol: v.value for v in tables.all(source="FP-LIIF Table 6", metric="gmacs")}
    said = tables.one(source="FP-LIIF §6.1", protocol="256", metric="fps")
    table, whole = rates.pop("256"), work.pop("256")
    times = [1000 / rate.value for rate in rates.values()]
    slope, start = np.polyfit([work[size] for size in rates], times, 1)
    predicted = 1000 / (start + slope * whole)
    same = said.value == table.value
    nearer = min((said, table), key=lambda value: abs(value.value - predicted))
    return describe(
        "fp-liif-fps",
        "recipe",
        "agrees" if same else "contradiction",
        printed=table,
        said=said,
        predicted=predicted,
        nearer=nearer,
        same=same,
    )


def _speed_itself(tables: Tables) -> Finding:
    count = len(tables.all(metric="fps"))
    status = "cannot be recomputed"
    return describe("fp-liif-speed-itself", "recipe", status, count=count)
