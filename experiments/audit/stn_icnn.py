"""What STN-iCNN's paper says, recomputed from its tables, its authors' corrections and the code."""

from collections.abc import Iterator

from fpliif_jax.configs import stn_icnn_helen
from fpliif_jax.experiments.audit.finding import SET_NAMES, Finding, Tables, same_digits
from fpliif_jax.experiments.audit.overall import CELEBAMASK_HQ, HELEN, RIVALS
from fpliif_jax.experiments.audit.recipe import rates_by_epoch, split_counts
from fpliif_jax.experiments.audit.sentences import describe
from fpliif_jax.experiments.cost import model_cost
from fpliif_jax.experiments.published import PublishedValue

# What the tables print in bold: class, then whose scores.
_BOLD = {
    HELEN: {
        "eyes": ("STN-iCNN",),
        "brows": ("iCNN (Zhou et al.)",),
        "nose": ("STN-iCNN",),
        "inner_mouth": ("STN-iCNN",),
        "upper_lip": ("iCNN (Zhou et al.)", "STN-iCNN"),
        "lower_lip": ("STN-iCNN",),
        "mouth": ("STN-iCNN",),
        "overall": ("STN-iCNN",),
    },
    CELEBAMASK_HQ: {
        "eyes": ("STN-iCNN",),
        "brows": ("STN-iCNN",),
        "nose": ("STN-iCNN",),
        "inner_mouth": ("STN-iCNN",),
        "upper_lip": ("STN-iCNN*",),
        "lower_lip": ("STN-iCNN*", "STN-iCNN"),
        "mouth": ("STN-iCNN*", "STN-iCNN"),
        "overall": ("STN-iCNN",),
    },
}
_BOLD[RIVALS] = _BOLD[HELEN]


def check(tables: Tables) -> Iterator[Finding]:
    """All findings about STN-iCNN."""
    yield _ten_runs(tables)
    yield _true_windows(tables)
    yield _joint_gain(tables)
    yield _before_joint(tables)
    yield _zhou(tables)
    yield _repeated_rows(tables)
    yield _bold(tables)
    for dataset in ("helen", "celebamask_hq"):
        yield split_counts(tables, "STN-iCNN §3.1", dataset)
    yield _ratio(tables)
    yield _settings(tables)
    yield _learning_rate(tables)
    yield _milliseconds(tables)


def _overall(tables: Tables, source: str, system: str, protocol: str = "") -> float:
    """Percent."""
    return tables.one(source=source, system=system, protocol=protocol, class_name="overall").percent


def _half_digit(value: PublishedValue) -> float:
    """What a printed share is known to, in points."""
    return 0.5 * 10.0**-value.decimals


def _ten_runs(tables: Tables) -> Finding:
    readme = "STN-iCNN README"
    own = _overall(tables, RIVALS, "STN-iCNN")
    corrected = _overall(tables, readme, "STN-iCNN", "ten runs")
    scores = tables.all(source=RIVALS, class_name="overall")
    half = _half_digit(tables.one(source=readme, metric="group_f1", protocol="ten runs"))
    corrects = corrected + half < own
    return describe(
        "stn-icnn-ten-runs",
        "main result",
        "contradiction" if corrects else "agrees",
        own=own,
        corrected=corrected,
        half=half,
        count=tables.one(source=readme, metric="count").value,
        notebook=_overall(tables, "STN-iCNN notebooks", "STN-iCNN"),
        best=max((v for v in scores if v.system != "STN-iCNN"), key=lambda v: v.percent),
        corrects=corrects,
    )


def _true_windows(tables: Tables) -> Finding:
    printed = tables.one(source=HELEN, system="STN-iCNN", class_name="overall")
    notebook = "STN-iCNN notebooks"
    true = _overall(tables, notebook, "STN-iCNN", "true_windows")
    joint = _overall(tables, notebook, "STN-iCNN")
    is_of_true_windows = same_digits(true / 100, printed) and not same_digits(joint / 100, printed)
    return describe(
        "stn-icnn-true-windows",
        "main result",
        "doubt" if is_of_true_windows else "agrees",
        printed=printed.percent,
        joint=joint,
        at_true_windows=true,
        is_of_true_windows=is_of_true_windows,
    )


def _joint_gain(tables: Tables) -> Finding:
    def gain(source: str, before: str, protocol: str = "") -> float:
        after = _overall(tables, source, "STN-iCNN", protocol)
        return after - _overall(tables, before, "STN-iCNN*")

    claimed, later = gain(HELEN, HELEN), gain("STN-iCNN notebooks", "STN-iCNN notebooks")
    corrected = gain("STN-iCNN README", HELEN, "ten runs")
    ten = tables.one(source="STN-iCNN README", metric="group_f1", protocol="ten runs")
    printed = tables.one(source=HELEN, system="STN-iCNN*", class_name="overall")
    most = corrected + _half_digit(ten) + _half_digit(printed)
    shrinks = most < claimed - 2 * _half_digit(printed)
    return describe(
        "stn-icnn-joint-gain",
        "main result",
        "contradiction" if shrinks else "agrees",
        gains={"Table 2": claimed, "notebooks": later, "README, ten runs, and Table 2": corrected},
        claimed=claimed,
        later=later,
        most=most,
        shrinks=shrinks,
    )


def _before_joint(tables: Tables) -> Finding:
    worse = []
    for source, dataset in ((HELEN, "helen"), (CELEBAMASK_HQ, "celebamask_hq")):
        base, stn = (tables.row(source, system, "") for system in ("iCNN", "STN-iCNN*"))
        for name in stn:
            gap = stn[name].percent - base[name].percent
            if gap < 0:
                worse.append((gap, name, SET_NAMES[dataset]))
    status = "doubt" if worse else "agrees"
    return describe("stn-icnn-before-joint", "claim", status, worse=sorted(worse))


def _zhou(tables: Tables) -> Finding:
    rows = {system: row for (system, _), row in tables.rows(RIVALS).items()}
    odd_eyes = [s for s, row in rows.items() if row["brows"].value > row["eyes"].value]
    odd_lips = [
        s
        for s, row in rows.items()
        if "upper_lip" in row and row["upper_lip"].value > row["lower_lip"].value
    ]
    swapped = odd_eyes == ["iCNN (Zhou et al.)"]
    others = [row["brows"].percent for s, row in rows.items() if s not in (*odd_eyes, "STN-iCNN")]
    return describe(
        "stn-icnn-zhou",
        "print",
        "doubt" if swapped else "agrees",
        zhou=tables.row(RIVALS, "iCNN (Zhou et al.)", ""),
        ours=tables.row(RIVALS, "iCNN", ""),
        brows=rows["STN-iCNN"]["brows"].percent,
        most=max(others),
        systems=len(rows),
        odd_eyes=odd_eyes,
        odd_lips=odd_lips,
        odd=list(dict.fromkeys(odd_eyes + odd_lips)),
        swapped=swapped,
    )


# ------------------------------------------------------------------------------------------ tables


def _repeated_rows(tables: Tables) -> Finding:
    here, there = tables.rows(HELEN), tables.rows(RIVALS)
    shared = [key for key in here if key in there]
    different = [
        f"{system}, {name}"
        for system, protocol in shared
        for name, value in here[system, protocol].items()
        if there[system, protocol][name].value != value.value
    ]
    return describe(
        "stn-icnn-tables-2-4",
        "print",
        "contradiction" if different else "agrees",
        shared=[system for system, _ in shared],
        different=different,
    )


def _bold(tables: Tables) -> Finding:
    wrong, total = [], 0
    for source, marks in _BOLD.items():
        rows = {system: row for (system, _), row in tables.rows(source).items()}
        for name, systems in marks.items():
            scores = {s: row[name].value for s, row in rows.items() if name in row}
            best = {s for s, score in scores.items() if score == max(scores.values())}
            total += 1
            if best != set(systems):
                wrong.append(f"{name} in {source.removeprefix('STN-iCNN ')}")
    return describe(
        "stn-icnn-bold",
        "print",
        "contradiction" if wrong else "agrees",
        wrong=wrong,
        total=total,
        skin=len(tables.all(source=RIVALS, class_name="skin")),
    )


# ---------------------------------------------------------------------------------------- settings


def _ratio(tables: Tables) -> Finding:
    source = "STN-iCNN §3.1"
    ratio = {v.protocol: v.value for v in tables.all(source=source, metric="split_ratio")}
    counts = {
        v.protocol: v.value
        for v in tables.all(source=source, dataset="celebamask_hq", metric="count")
    }
    expected = {n: counts["images"] * part / sum(ratio.values()) for n, part in ratio.items()}
    gap = max(abs(counts[name] - expected[name]) for name in ratio)
    return describe(
        "stn-icnn-split-ratio",
        "recipe",
        "contradiction" if gap else "agrees",
        ratio=ratio.values(),
        counts=[counts[name] for name in ratio],
        expected=expected.values(),
        gap=gap,
    )


def _settings(tables: Tables) -> Finding:
    section = "STN-iCNN §3.1"
    devices = tables.one(source=section, dataset="celebamask_hq", protocol="", metric="gpus").value
    each = tables.one(source=section, metric="batch_size_per_gpu").value
    batches = tables.all(source="STN-iCNN Table 1", dataset="celebamask_hq", metric="batch_size")
    operations = tables.one(source="STN-iCNN §2.5.1", metric="augmentation_operations").value
    copies = tables.one(source="STN-iCNN §2.5.1", metric="copies").value
    layers = tables.one(source="STN-iCNN §2.3", metric="layers").value
    convolutions = tables.one(source="STN-iCNN §2.3", metric="convolutions").value
    same = (
        all(value.value == devices * each for value in batches)
        and copies == operations + 1
        and layers == convolutions + 1
    )
    return describe(
        "stn-icnn-settings",
        "print",
        "agrees" if same else "contradiction",
        batch=batches[0].printed,
        devices=devices,
        each_has=each,
        copies=copies,
        operations=operations,
        layers=layers,
        convolutions=convolutions,
        same=same,
    )


def _learning_rate(tables: Tables) -> Finding:
    config = stn_icnn_helen.get_config()
    every = int(tables.one(source="STN-iCNN §2.5.2", metric="decay_every_epochs").value)
    divisor = tables.one(source="STN-iCNN §2.5.2", metric="decay_divisor").value
    epochs = int(tables.all(source="STN-iCNN Table 1", metric="epochs")[0].value)
    config.train.decay_factor, config.train.decay_every_epochs = 1 / divisor, every
    rates = rates_by_epoch(config.train, 1.0, epochs)
    useful = rates[-1] > 1e-3
    return describe(
        "stn-icnn-learning-rate",
        "recipe",
        "agrees" if useful else "contradiction",
        every=every,
        epochs=epochs,
        total=rates.sum(),
        last=rates[-1],
        useful=useful,
    )


def _milliseconds(tables: Tables) -> Finding:
    times = {v.system: v.value for v in tables.all(metric="milliseconds")}
    config, parameters = stn_icnn_helen.get_config(), {}
    for cropper in ("stn", "centroid"):
        config.model.cropper = cropper
        parameters[cropper] = model_cost.count_parameters(config) / 1e6
    status = "cannot be recomputed"
    return describe("stn-icnn-milliseconds", "recipe", status, times=times, parameters=parameters)
