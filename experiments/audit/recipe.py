"""What FP-LIIF's paper says about data, model, cost and training, recomputed with the code."""

import functools
import math
from collections.abc import Iterator

import jax.numpy as jnp
import ml_collections
import numpy as np

from fpliif_jax.configs import celebamask_hq, fp_liif, helen, lapa
from fpliif_jax.data_builders import BUILDERS, class_names
from fpliif_jax.experiments.audit.finding import SET_NAMES, Finding, Tables, listed, same_digits
from fpliif_jax.experiments.cost import model_cost
from fpliif_jax.systems import multiply_accumulates
from fpliif_jax.training.optimizer import learning_rate_schedule

_CLASSES = {
    "lapa": class_names.LAPA_AND_HELEN,
    "celebamask_hq": class_names.CELEBAMASK_HQ,
    "helen": class_names.LAPA_AND_HELEN,
}


def check(tables: Tables) -> Iterator[Finding]:
    """All findings about FP-LIIF's recipe."""
    yield _learning_rate(tables)
    yield _tail(tables)
    yield _flops_are_macs(tables)
    yield _batch(tables)
    yield _unfolding(tables)
    yield _speed(tables)
    yield _unet(tables)
    for dataset in SET_NAMES:
        yield split_counts(tables, "FP-LIIF §4.1", dataset)
    yield _ratios(tables)
    yield _parameters(tables)
    yield _table_6(tables)
    yield _table_4_and_6(tables)
    yield _architecture(tables)
    yield _missing_table(tables)
    yield _speed_itself(tables)


# ---------------------------------------------------------------------------------------- training


def rates_by_epoch(settings: ml_collections.ConfigDict, rate: float, epochs: int) -> np.ndarray:
    """The learning rate of every epoch, [epochs], as training sets it."""
    schedule = learning_rate_schedule(settings, rate, 1)
    return np.asarray(schedule(jnp.arange(epochs)), np.float64)


def _learning_rate(tables: Tables) -> Finding:
    def setting(metric: str) -> float:
        return tables.one(source="FP-LIIF §4.2", metric=metric).value

    config = fp_liif.get_config()
    config.train.decay_factor = 1 / setting("decay_divisor")
    config.train.decay_every_epochs = int(setting("decay_every_epochs"))
    epochs, rate = int(setting("epochs")), setting("learning_rate")
    rates = rates_by_epoch(config.train, rate, epochs)
    effective = float(rates.sum() / rate)
    # Weights of a 3×3 convolution of 64 channels are drawn within ±1/√576; their float32 neighbours are a
    # unit in the last place away, and an Adam step of less than half of it is lost.
    typical = np.float32(1 / math.sqrt(3 * 9 * config.model.features))
    half_unit = float(np.spacing(typical)) / 2
    frozen = int(np.argmax(rates < half_unit)) if (rates < half_unit).any() else epochs
    # The rates are of float32, and 99 % may be reached exactly: 22 of 22.22….
    at_99 = int(np.argmax(np.cumsum(rates) >= (0.99 - 1e-6) * rates.sum())) + 1
    wasted = frozen < epochs
    return Finding(
        id="fp-liif-learning-rate",
        title="Learning rate, taken literally",
        says=f"{epochs} epochs, initial rate {rate:g}, divided by {setting('decay_divisor'):g} after every "
        f"{setting('decay_every_epochs'):g} epochs (§4.2).",
        recomputed=f"The rates add up to {effective:.1f} epochs at the initial rate; 99 % of that is spent after "
        f"{at_99} epochs. From epoch {frozen} on the rate is {rates[min(frozen, epochs - 1)]:.0e} or less: an Adam "
        "step is below half a float32 unit in the last place of a typical weight "
        f"({float(typical):.3f}) and is lost in rounding.",
        size=f"{epochs - frozen} of {epochs} epochs all but without effect; {effective / epochs:.1%} of the sum of a "
        "constant rate",
        meaning=f"Either the network all but stood still for {(epochs - frozen) / epochs:.0%} of its training, or the "
        f"schedule was "
        "another one."
        if wasted
        else "The rate is useful to the end.",
        status="doubt" if wasted else "agrees",
        consequence="recipe",
    )


def _batch(tables: Tables) -> Finding:
    devices = int(tables.one(source="FP-LIIF §4.2", metric="gpus").value)
    batches = tables.all(source="FP-LIIF §4.2", metric="batch_size")
    left = {value.dataset: int(value.value) % devices for value in batches}
    uneven = [name for name, rest in left.items() if rest]
    return Finding(
        id="fp-liif-batch",
        title="Batch size and number of GPUs",
        says=f"{devices} GPUs, mini-batches of "
        + listed(f"{v.printed} ({SET_NAMES[v.dataset]})" for v in batches)
        + " (§4.2).",
        recomputed="Divided among the GPUs they leave "
        + listed(f"{rest} ({SET_NAMES[name]})" for name, rest in left.items())
        + ".",
        size=f"{sum(left.values())} example left over" if uneven else "none",
        meaning="A global batch of that size cannot be split evenly; if it is meant for each GPU, the global one "
        "is "
        + listed(str(int(v.value) * devices) for v in batches)
        + ". The paper does not say which."
        if uneven
        else "Both divide evenly.",
        status="doubt" if uneven else "agrees",
        consequence="recipe",
    )


# -------------------------------------------------------------------------------------------- cost


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
    parameters = _parameters_of("celebamask_hq")
    without = (parameters - (9 * features + 1) * features) / 1e6
    gmacs = _gmacs(config, 64)
    gmacs_without = gmacs - multiply_accumulates.convolution(int(side), features, features) / 1e9
    needed = not same_digits(without, printed) and same_digits(parameters / 1e6, printed)
    return Finding(
        id="fp-liif-tail",
        title="A convolution that the text does not mention",
        says=f"§3.2 lists the layers of the encoder; {printed.printed} M parameters (Table 4), "
        f"{operations.printed} “FLOPS” "
        "at 64² (Table 6).",
        recomputed=f"As described: {without:.2f} M and {gmacs_without:.2f}. With one 3×3 convolution at the end "
        f"of the "
        f"third group, as EDSR has it: {parameters / 1e6:.2f} M and {gmacs:.2f}.",
        size=f"{parameters / 1e6 - without:.3f} M parameters, {gmacs - gmacs_without:.2f} GMACs",
        meaning="The text leaves a convolution out; without it neither of the printed numbers comes out."
        if needed
        else "The printed numbers do not ask for it.",
        status="contradiction" if needed else "agrees",
        consequence="recipe",
    )


def _flops_are_macs(tables: Tables) -> Finding:
    config = celebamask_hq.get_config()
    printed = tables.all(source="FP-LIIF Table 6", metric="gmacs")
    counted = [_gmacs(config, int(value.protocol)) for value in printed]
    ratio = float(np.mean([2 * g / v.value for g, v in zip(counted, printed, strict=True)]))
    lapa_config = lapa.get_config()
    eleven = [_gmacs(lapa_config, int(value.protocol)) for value in printed]
    fits = sum(same_digits(g, v) for g, v in zip(eleven, printed, strict=True))
    return Finding(
        id="fp-liif-flops",
        title="What is counted as “GFlops”",
        says="“GFlops” (Table 4) and “FLOPS” (Table 6).",
        recomputed=f"The numbers are billions of multiply-accumulates; floating-point operations are {ratio:.2f} "
        f"times "
        f"as many. They are for {config.model.num_classes} classes: for LaPa's {lapa_config.model.num_classes}, "
        f"{fits} of "
        f"{len(printed)} agree.",
        size=f"a factor of {ratio:.2f}",
        meaning="“FLOPs” is often said for multiply-accumulates, and is here. Compare only with other counts of "
        "these; how Table 4's rivals were counted is not said."
        if ratio > 1.5
        else "They are operations.",
        status="doubt" if ratio > 1.5 else "agrees",
        consequence="recipe",
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
    return Finding(
        id="fp-liif-table-6",
        title="Operations in Table 6",
        says="“FLOPS” of five output sizes (Table 6).",
        recomputed=f"Multiply-accumulates for {config.model.num_classes} classes; norms and sampling at 4 an "
        f"element, "
        "means at 1.",
        size=f"{max(map(abs, differences)):.3f} GMACs at most; {agree} of {len(differences)} to the printed digits",
        meaning="The reconstructed model is the one that was measured."
        if agree == len(differences)
        else "The reconstructed model is not the one that was measured.",
        status="agrees" if agree == len(differences) else "contradiction",
        consequence="recipe",
        table=tuple(lines),
    )


def _table_4_and_6(tables: Tables) -> Finding:
    short = tables.one(source="FP-LIIF Table 4", system="FP-LIIF", metric="gmacs")
    long = tables.one(source="FP-LIIF Table 6", protocol="256", metric="gmacs")
    counted = _gmacs(celebamask_hq.get_config(), 256)
    same = same_digits(long.value, short) and same_digits(counted, short)
    return Finding(
        id="fp-liif-table-4-gflops",
        title="GFlops of FP-LIIF in Tables 4 and 6",
        says=f"{short.printed} (Table 4), {long.printed} at 256² (Table 6).",
        recomputed=f"Counted: {counted:.2f} GMACs.",
        size=f"{long.value - short.value:.1f} GFlops",
        meaning="One number, printed with fewer digits in Table 4." if same else "They differ.",
        status="contradiction"
        if not same
        else "rounding"
        if long.value != short.value
        else "agrees",
        consequence="print",
    )


def _parameters(tables: Tables) -> Finding:
    printed = tables.one(source="FP-LIIF Table 4", system="FP-LIIF", metric="parameters")
    counted = {name: _parameters_of(name) for name in ("celebamask_hq", "lapa")}
    fits = [name for name, count in counted.items() if same_digits(count / 1e6, printed)]
    return Finding(
        id="fp-liif-parameters",
        title="Number of parameters",
        says=f"{printed.printed} M (Table 4, §5).",
        recomputed=listed(
            f"{count:,} for the {len(_CLASSES[name])} classes of {SET_NAMES[name]}"
            for name, count in counted.items()
        )
        + ".",
        size=f"{counted['celebamask_hq'] / 1e6 - printed.value:+.4f} M",
        meaning=f"The printed number is that of {listed(SET_NAMES[name] for name in fits)}."
        if fits
        else "The reconstructed model has another number of parameters.",
        status="agrees" if fits else "contradiction",
        consequence="recipe",
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
    return Finding(
        id="fp-liif-ratios",
        title="How many times smaller FP-LIIF is",
        says="Column “× FP-LIIF” of Table 4; “1/26th” (abstract, §1, §6), “65 times smaller than FARL” (§5).",
        recomputed="Parameters of Table 4 divided by FP-LIIF's.",
        size=f"{largest:.2f} times at most",
        meaning="The ratios are right"
        + (f", cut instead of rounded for {listed(name for name, _ in off)}." if off else ".")
        if largest < 1
        else "A ratio does not follow from the parameters.",
        status="agrees" if not off else "rounding" if largest < 1 else "contradiction",
        consequence="print",
        table=tuple(lines),
    )


def _unet(tables: Tables) -> Finding:
    size = tables.one(source="FP-LIIF §5.1", protocol="unet", metric="parameters")
    said = tables.one(source="FP-LIIF §5.1", protocol="unet", metric="parameter_ratio")
    own = tables.one(source="FP-LIIF Table 4", system="FP-LIIF", metric="parameters")
    ratio = size.value / own.value
    built = _parameters_of("lapa", "conv_unet")
    same = same_digits(ratio, said)
    return Finding(
        id="fp-liif-unet",
        title="Size of the Conv U-Net of the ablation",
        says=f"“{size.printed} M params ({said.printed}x FP-LIIF)” (§5.1); its layers are not described.",
        recomputed=f"{size.printed} / {own.printed} = {ratio:.2f}. The U-Net built here has {built:,} parameters, "
        f"{built / 1e6 / size.value - 1:+.1%}.",
        size=f"{ratio - said.value:+.2f} times",
        meaning="The network that loses in the ablation is larger than the text says, unless it means "
        f"{ratio - 1:.0f} times more."
        if not same
        else "The ratio is right.",
        status="agrees" if same else "contradiction",
        consequence="print",
    )


def _unfolding(tables: Tables) -> Finding:
    config = celebamask_hq.get_config()
    model, side = config.model, config.data.image_size
    printed = tables.one(source="FP-LIIF Table 6", protocol=str(side), metric="gmacs")
    parts = multiply_accumulates.count(model, side, side)
    widths = (9 * model.features, *model.rcmlp_features)
    at_output = multiply_accumulates.dense(4 * side**2, widths)
    sampling = multiply_accumulates.SAMPLING * 4 * side**2 * widths[0]
    other = sum(parts.values()) - parts["decoder: RCMLP"] - parts["decoder: sampling"]
    other = (other + at_output + sampling) / 1e9
    on_grid = same_digits(sum(parts.values()) / 1e9, printed) and not same_digits(other, printed)
    return Finding(
        id="fp-liif-unfolding",
        title="Whether a convolution can replace the unfolding",
        says="“The regular conv can't be used to directly replace the unfolding operation because grid sampling "
        "result would differ” (§3.3).",
        recomputed=f"Were the RCMLP applied to the samples, as the sentence needs, 256² would take {other:.1f} "
        f"GMACs; on "
        f"the latent grid it takes {sum(parts.values()) / 1e9:.1f}, which Table 6 prints. On the grid, unfolding "
        f"and a "
        "dense layer are a 3×3 convolution.",
        size=f"{other - sum(parts.values()) / 1e9:.1f} GMACs",
        meaning="In the model that was measured a convolution does replace the unfolding, exactly."
        if on_grid
        else "The RCMLP is applied to the samples.",
        status="contradiction" if on_grid else "agrees",
        consequence="recipe",
    )


# ------------------------------------------------------------------------------------------- speed


def _speed(tables: Tables) -> Finding:
    rates = {v.protocol: v for v in tables.all(source="FP-LIIF Table 6", metric="fps")}
    work = {v.protocol: v.value for v in tables.all(source="FP-LIIF Table 6", metric="gmacs")}
    said = tables.one(source="FP-LIIF §6.1", protocol="256", metric="fps")
    table = rates["256"]
    smaller = [size for size in rates if size != "256"]
    slope, start = np.polyfit(
        [work[size] for size in smaller], [1000 / rates[size].value for size in smaller], 1
    )
    predicted = 1000 / (start + slope * work["256"])
    same = said.value == table.value
    nearer = min((said, table), key=lambda value: abs(value.value - predicted))
    return Finding(
        id="fp-liif-fps",
        title="Frames per second at 256²",
        says=f"{table.printed} (§1, Tables 4 and 6), {said.printed} (§6.1); nothing about batch or clock.",
        recomputed="A line through the times of Table 6's smaller outputs over their operations gives "
        f"{predicted:.0f} frames per second at 256², nearer to {nearer.printed}.",
        size=f"{said.value - table.value:+.0f} frames per second ({said.value / table.value - 1:+.0%})",
        meaning="The speed is known to a tenth at best." if not same else "One number.",
        status="agrees" if same else "contradiction",
        consequence="recipe",
    )


def _speed_itself(tables: Tables) -> Finding:
    count = len(tables.all(metric="fps"))
    return Finding(
        id="fp-liif-speed-itself",
        title="The frames per second themselves",
        says=f"{count} values, on an A100 (§1, §5, §6.1, Tables 4 and 6).",
        recomputed="They need that GPU, PyTorch 1.10, the batch size, and the rivals' code.",
        size="unknown",
        meaning="`python -m experiments.benchmark` measures this implementation on the machine at hand.",
        status="cannot be recomputed",
        consequence="recipe",
    )


# ------------------------------------------------------------------------------------ data, layers


def split_counts(tables: Tables, source: str, dataset: str) -> Finding:
    """Whether the splits add up, and are those of the official set; classes likewise."""
    found = {v.protocol: int(v.value) for v in tables.all(source=source, dataset=dataset)
             if v.metric == "count" and v.protocol != "fine-tuning"}  # fmt: skip
    splits = {name: found[name] for name in ("train", "validation", "test")}
    total, official = sum(splits.values()), dict(BUILDERS[dataset].OFFICIAL_COUNTS)
    gap = total - found["images"]
    classes_fit = found["classes"] == len(_CLASSES[dataset])
    official_text = " / ".join(f"{count:,}" for count in official.values())
    paper, section = source.split(" §")
    return Finding(
        id=f"{paper.lower()}-counts-{dataset.replace('_', '-')}",
        title=f"Images of {SET_NAMES[dataset]} ({paper})",
        says=f"{found['images']:,} images: "
        + " / ".join(f"{count:,}" for count in splits.values())
        + f"; {found['classes']} classes (§{section}).",
        recomputed=f"The splits add up to {total:,}; the official ones are {official_text}. "
        f"{len(_CLASSES[dataset])} classes with the background.",
        size=f"{gap:+,} images" if gap else "none",
        meaning="The total is misprinted; the splits are the official ones."
        if gap and splits == official
        else "The splits add up"
        + ("." if splits == official else "; they are not the official ones."),
        status="agrees" if not gap and classes_fit else "contradiction",
        consequence="print",
    )


def _architecture(tables: Tables) -> Finding:
    config = helen.get_config()
    total = int(tables.one(source="FP-LIIF §3.2", metric="residual_blocks", protocol="").value)
    groups = [
        int(v.value)
        for v in tables.all(source="FP-LIIF §3.2", metric="residual_blocks")
        if v.protocol
    ]
    image = tables.one(source="FP-LIIF §3.2", metric="image_size").value
    latent = tables.one(source="FP-LIIF §3.2", metric="latent_size").value
    side = image / 2 ** (len(groups) - 1)
    same = sum(groups) == total and side == latent and groups == list(config.model.group_blocks)
    return Finding(
        id="fp-liif-architecture",
        title="Residual blocks and size of the latent grid",
        says=f"{total} blocks, {listed(map(str, groups))} in three groups; {image:g}² to {latent:g}² (§3.2).",
        recomputed=f"{sum(groups)} blocks; {side:g}² after {len(groups) - 1} convolutions of stride 2.",
        size="none" if same else f"{sum(groups) - total:+d} blocks, {side - latent:+g} cells",
        meaning="The description fits itself and the model here."
        if same
        else "The description does not fit itself.",
        status="agrees" if same else "contradiction",
        consequence="print",
    )


def _missing_table(tables: Tables) -> Finding:
    cited = "FP-LIIF Table 9"
    there = cited in tables.sources()
    return Finding(
        id="fp-liif-table-9",
        title="“Table 9”",
        says="“Table 9 shows the results … using SFNet” (§5.1).",
        recomputed="There is such a table."
        if there
        else "There are Tables 1 to 7; the scores are in Fig. 9.",
        size="none" if there else "a wrong reference",
        meaning="The reference is right." if there else "Read Fig. 9.",
        status="agrees" if there else "contradiction",
        consequence="print",
    )
