"""What STN-iCNN's paper says, recomputed from its tables, its authors' corrections and the code."""

from collections.abc import Iterator

from fpliif_jax.configs import stn_icnn_helen
from fpliif_jax.experiments.audit.finding import SET_NAMES, Finding, Tables, listed, same_digits
from fpliif_jax.experiments.audit.overall import CELEBAMASK_HQ, HELEN, RIVALS
from fpliif_jax.experiments.audit.recipe import rates_by_epoch, split_counts
from fpliif_jax.experiments.published import PublishedValue
from fpliif_jax.systems import multiply_accumulates

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
    own = _overall(tables, RIVALS, "STN-iCNN")
    corrected = _overall(tables, "STN-iCNN README", "STN-iCNN", "ten runs")
    rivals = {
        v.system: v.percent
        for v in tables.all(source=RIVALS, class_name="overall")
        if v.system != "STN-iCNN"
    }
    best = max(rivals, key=rivals.__getitem__)
    notebook = _overall(tables, "STN-iCNN notebooks", "STN-iCNN")
    count = tables.one(source="STN-iCNN README", metric="count").value
    half = _half_digit(tables.one(source="STN-iCNN README", metric="group_f1", protocol="ten runs"))
    return Finding(
        id="stn-icnn-ten-runs",
        title="Overall F1 on Helen, against the authors' own correction",
        says=f"{own:.1f}, the best of Table 4; the authors' README: {corrected:.0f} on average over {count:g} "
        "runs; the printed value is reached “occasionally”, not “stably”.",
        recomputed=f"{corrected:.0f} is known to {half:.1f}; the authors' notebook prints {notebook:.2f}. The best "
        f"rival of Table 4, {best}, has {rivals[best]:.1f}.",
        size=f"{corrected - own:+.1f} points; {corrected - rivals[best]:+.1f} ± {half:.1f} to {best}",
        meaning="By the authors' own correction the printed score is that of a good run"
        + (
            f", and STN-iCNN is not shown to lead {best}."
            if corrected - half <= rivals[best]
            else "."
        )
        if corrected + half < own
        else "The correction is within the digits.",
        status="contradiction" if corrected + half < own else "agrees",
        consequence="main result",
    )


def _true_windows(tables: Tables) -> Finding:
    printed = tables.one(source=HELEN, system="STN-iCNN", class_name="overall")
    notebook = "STN-iCNN notebooks"
    true = _overall(tables, notebook, "STN-iCNN", "true_windows")
    joint = _overall(tables, notebook, "STN-iCNN")
    oracle = same_digits(true / 100, printed) and not same_digits(joint / 100, printed)
    return Finding(
        id="stn-icnn-true-windows",
        title="Which experiment the printed overall F1 is",
        says=f"{printed.percent:.1f} after end-to-end training (Tables 2 and 4).",
        recomputed=f"The authors' notebooks print {joint:.2f} after joint training, and {true:.2f} with crops at "
        f"the true "
        "positions.",
        size=f"{joint - printed.percent:+.2f} points",
        meaning="The printed value is, to its digits, that of the notebook which is given the true windows; what the "
        "whole system has there is a point lower. The notebooks are of later runs, so it may be chance."
        if oracle
        else "The printed value is that of the whole system.",
        status="doubt" if oracle else "agrees",
        consequence="main result",
    )


def _joint_gain(tables: Tables) -> Finding:
    gains = {}
    for name, source, before_source, protocol in (
        ("Table 2", HELEN, HELEN, ""),
        ("notebooks", "STN-iCNN notebooks", "STN-iCNN notebooks", ""),
        ("README, ten runs, and Table 2", "STN-iCNN README", HELEN, "ten runs"),
    ):
        after = _overall(tables, source, "STN-iCNN", protocol)
        gains[name] = after - _overall(tables, before_source, "STN-iCNN*")
    claimed = gains["Table 2"]
    later = gains["notebooks"]
    ten = tables.one(source="STN-iCNN README", metric="group_f1", protocol="ten runs")
    printed = tables.one(source=HELEN, system="STN-iCNN*", class_name="overall")
    most = gains["README, ten runs, and Table 2"] + _half_digit(ten) + _half_digit(printed)
    shrinks = most < claimed - 2 * _half_digit(printed)
    return Finding(
        id="stn-icnn-joint-gain",
        title="Gain of end-to-end training on Helen",
        says=f"{claimed:+.1f} points (Table 2: STN-iCNN − STN-iCNN*).",
        recomputed=listed(f"{gain:+.2f} ({name})" for name, gain in gains.items())
        + f". The README's two digits allow {most:+.2f} at most; the notebooks are one run each.",
        size=f"{later - claimed:+.2f} points; {later / claimed:.0%} of the printed gain is left",
        meaning="By the authors' later numbers end-to-end training gains less than the paper says."
        if shrinks
        else "The gain is confirmed.",
        status="contradiction" if shrinks else "agrees",
        consequence="main result",
    )


def _before_joint(tables: Tables) -> Finding:
    worse = []
    for source, dataset in ((HELEN, "helen"), (CELEBAMASK_HQ, "celebamask_hq")):
        base, stn = (tables.row(source, system, "") for system in ("iCNN", "STN-iCNN*"))
        for name in stn:
            gap = stn[name].percent - base[name].percent
            if gap < 0:
                worse.append((gap, f"{gap:+.1f} ({name}, {SET_NAMES[dataset]})"))
    worse.sort()
    return Finding(
        id="stn-icnn-before-joint",
        title="STN-iCNN* against the baseline in every class",
        says="The STN crops more precisely than the original cropper even without end-to-end training (§1); on Helen "
        "“the model's results have improved significantly” by it (§3.2). Tables 2 and 3 have both.",
        recomputed="STN-iCNN* − iCNN is negative in: "
        + (listed(text for _, text in worse) if worse else "no class")
        + ".",
        size=f"{worse[0][0]:+.1f} points at worst" if worse else "none",
        meaning="The sentence holds on Helen, and for the overall score on both sets; in these classes the STN makes "
        "it worse before the joint training."
        if worse
        else "No class gets worse.",
        status="doubt" if worse else "agrees",
        consequence="claim",
    )


def _zhou(tables: Tables) -> Finding:
    rows = {system: row for (system, _), row in tables.rows(RIVALS).items()}
    odd_eyes = [s for s, row in rows.items() if row["brows"].value > row["eyes"].value]
    odd_lips = [
        s
        for s, row in rows.items()
        if "upper_lip" in row and row["upper_lip"].value > row["lower_lip"].value
    ]
    swapped = odd_eyes == ["iCNN (Zhou et al.)"]
    zhou = rows["iCNN (Zhou et al.)"]
    own = rows["STN-iCNN"]["brows"].percent
    others = [row["brows"].percent for s, row in rows.items() if s not in (*odd_eyes, "STN-iCNN")]
    return Finding(
        id="stn-icnn-zhou",
        title="The row of Zhou et al. in Tables 2 and 4",
        says=f"Eyes {zhou['eyes'].percent:.1f}, brows {zhou['brows'].percent:.1f} (bold: the best brows of all); "
        f"upper lip "
        f"{zhou['upper_lip'].percent:.1f}, lower lip {zhou['lower_lip'].percent:.1f}.",
        recomputed=f"Of {len(rows)} systems {len(odd_eyes)} has brows above eyes, and {len(odd_lips)} an upper "
        f"lip above the "
        f"lower one: {listed(dict.fromkeys(odd_eyes + odd_lips)) if odd_eyes or odd_lips else 'none'}. The "
        f"reimplementation of it has eyes {rows['iCNN']['eyes'].percent:.1f} and brows "
        f"{rows['iCNN']['brows'].percent:.1f}; the brows of all others but STN-iCNN are {max(others):.1f} or less.",
        size=f"{zhou['brows'].percent - zhou['eyes'].percent:+.1f} points between brows and eyes",
        meaning=f"Eyes and brows of that row look exchanged; STN-iCNN's brows ({own:.1f}) would then be the "
        f"best. The "
        "original paper of Zhou et al. has to decide."
        if swapped
        else "The row looks like the others.",
        status="doubt" if swapped else "agrees",
        consequence="print",
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
    return Finding(
        id="stn-icnn-tables-2-4",
        title="Rows that stand in Tables 2 and 4",
        says=f"{listed(system for system, _ in shared)} stand in both.",
        recomputed="All of their scores are the same."
        if not different
        else f"Different: {listed(different)}.",
        size=f"{len(different)} scores" if different else "none",
        meaning="Table 4 repeats Table 2." if not different else "The tables disagree.",
        status="agrees" if not different else "contradiction",
        consequence="print",
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
    skin = [v for v in tables.all(source=RIVALS, class_name="skin")]
    return Finding(
        id="stn-icnn-bold",
        title="Scores in bold",
        says="The best score of a column is bold (Tables 2, 3, 4).",
        recomputed=f"{total - len(wrong)} of {total} columns; "
        + (f"not {listed(wrong)}; " if wrong else "")
        + f"Table 4's skin, which STN-iCNN does not have, has no bold score among its {len(skin)}.",
        size=f"{len(wrong)} columns" if wrong else "none",
        meaning="The marks are right." if not wrong else "Some marks are wrong.",
        status="agrees" if not wrong else "contradiction",
        consequence="print",
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
    return Finding(
        id="stn-icnn-split-ratio",
        title="CelebAMask-HQ's random split",
        says=f"{':'.join(f'{part:g}' for part in ratio.values())}, "
        + " / ".join(f"{counts[name]:,.0f}" for name in ratio)
        + " (§3.1). Neither the split nor its seed is published.",
        recomputed=" / ".join(f"{expected[name]:,.0f}" for name in ratio) + ".",
        size=f"{gap:,.0f} images" if gap else "none",
        meaning="The counts fit; which images they are cannot be known, so no score on this split can be repeated "
        "exactly."
        if not gap
        else "The counts do not fit the ratio.",
        status="agrees" if not gap else "contradiction",
        consequence="recipe",
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
    return Finding(
        id="stn-icnn-settings",
        title="Batch, copies, layers",
        says=f"Batch {batches[0].printed} (Table 1), {each:g} on each of {devices:g} GPUs (§3.1); {copies:g} "
        f"images from each "
        f"by 0 to {operations:g} operations (§2.5.1); {layers:g} layers, {convolutions:g} of them convolutions "
        f"(§2.3).",
        recomputed=f"{devices:g} · {each:g} = {devices * each:g}; 0 to {operations:g} are {operations + 1:g}; "
        f"{convolutions:g} "
        f"and a dense layer are {convolutions + 1:g}.",
        size="none" if same else "see above",
        meaning="They fit each other." if same else "They do not fit each other.",
        status="agrees" if same else "contradiction",
        consequence="print",
    )


def _learning_rate(tables: Tables) -> Finding:
    config = stn_icnn_helen.get_config()
    every = int(tables.one(source="STN-iCNN §2.5.2", metric="decay_every_epochs").value)
    divisor = tables.one(source="STN-iCNN §2.5.2", metric="decay_divisor").value
    epochs = int(tables.all(source="STN-iCNN Table 1", metric="epochs")[0].value)
    config.train.decay_factor, config.train.decay_every_epochs = 1 / divisor, every
    rates = rates_by_epoch(config.train, 1.0, epochs)
    useful = rates[-1] > 1e-3
    return Finding(
        id="stn-icnn-learning-rate",
        title="Learning rate",
        says=f"Halved every {every} epochs, {epochs} epochs a stage (§2.5.2, Table 1).",
        recomputed=f"The rates add up to {rates.sum():.1f} epochs at the initial rate; the last is "
        f"{rates[-1]:.4f} of the "
        "first.",
        size="none" if useful else f"{rates[-1]:.0e} of the first rate",
        meaning="Training goes on to the end." if useful else "The last epochs are without effect.",
        status="agrees" if useful else "contradiction",
        consequence="recipe",
    )


def _milliseconds(tables: Tables) -> Finding:
    times = {v.system: v.value for v in tables.all(metric="milliseconds")}
    config = stn_icnn_helen.get_config()
    side, operations = config.data.image_size, {}
    for cropper in ("stn", "centroid"):
        config.model.cropper = cropper
        parts = multiply_accumulates.count(config.model, side, side)
        operations[cropper] = sum(parts.values()) / 1e9
    ratio = operations["stn"] / operations["centroid"]
    return Finding(
        id="stn-icnn-milliseconds",
        title="Time for one face",
        says=f"Baseline {times['iCNN']:g} ms, STN-iCNN {times['STN-iCNN']:g} ms on a GTX 1080 Ti (§3.1).",
        recomputed=f"The networks alone take {operations['centroid']:.2f} and {operations['stn']:.2f} GMACs: the "
        f"system "
        f"that is said to be quicker does {ratio:.1f} times the operations, so it is not these that the times "
        f"measure.",
        size="unknown",
        meaning="The times need that GPU and both programs; `python -m experiments.reproduce stn_efficiency` measures "
        "both croppers here, and the hours of training.",
        status="cannot be recomputed",
        consequence="recipe",
    )
