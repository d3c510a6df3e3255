"""The papers' tables as lists of variants: a config, what differs from it, and where its published numbers are.

A variant is written down as the paper has it; `experiments.plans.scales` makes it smaller.
"""

import dataclasses
import difflib
from typing import Any

from fpliif_jax.data_builders.errors import UserError

FP_LIIF_ROWS = ("256", "512", "192->256", "128->256", "96->256", "64->256")


@dataclasses.dataclass(frozen=True)
class Claim:
    """Published numbers that a row of a variant's evaluation is to be compared with.

    Attributes:
      source: as in experiments/published: 'FP-LIIF Table 5'.
      system: likewise.
      protocol: likewise.
      row: of the evaluation at the paper's scale: '256', 'canvas'.
      label: what the row is called in our table; '' for the variant's own label.
    """

    source: str
    system: str
    protocol: str
    row: str
    label: str = ""


@dataclasses.dataclass(frozen=True)
class Variant:
    """One line of a table: what is trained and evaluated for it.

    Attributes:
      name: of its folder.
      label: in tables and figures.
      config: experiment file.
      overrides: fields that differ from it, in order.
      claims: its published numbers.
      rows: of the evaluation; None: those of the config.
      needs: name of a variant whose run of the same seed it starts from.
      then: modules of experiments to run on the finished run, with the file that each leaves.
      trains: False where nothing is trained and `then` is all.
    """

    name: str
    label: str
    config: str
    overrides: tuple[tuple[str, Any], ...] = ()
    claims: tuple[Claim, ...] = ()
    rows: tuple[str, ...] | None = None
    needs: str | None = None
    then: tuple[tuple[str, str], ...] = ()
    trains: bool = True


@dataclasses.dataclass(frozen=True)
class Table:
    """A table or figure of a paper.

    Attributes:
      name: on the command line.
      title: what it shows.
      variants: its lines.
      baseline: name of the variant that the others are compared with; None: no comparison.
    """

    name: str
    title: str
    variants: tuple[Variant, ...]
    baseline: str | None = None


def _output_size_claims(source: str) -> tuple[Claim, ...]:
    return tuple(
        Claim(source, "FP-LIIF", row, row, f"FP-LIIF, {row.replace('->', ' → ')}")
        for row in FP_LIIF_ROWS
    )


def _fp_liif_on(dataset: str, label: str, claims: tuple[Claim, ...]) -> Variant:
    rows = FP_LIIF_ROWS if dataset != "helen" else ("256",)
    return Variant(dataset, label, f"configs/{dataset}.py", claims=claims, rows=rows)


def _reading(name: str, label: str, **overrides: Any) -> Variant:
    """A variant of FP-LIIF on LaPa; double underscores stand for dots."""
    fields = tuple((field.replace("__", "."), value) for field, value in overrides.items())
    return Variant(name, label, "configs/lapa.py", fields)


def _lambda(value: int) -> Variant:
    claim = Claim("FP-LIIF Table 5", "FP-LIIF", f"lambda={value}", "256")
    overrides = (("loss.edge_weight", float(value)),)
    return Variant(f"lambda={value}", f"λ = {value}", "configs/lapa.py", overrides, (claim,))


def _ablation(protocol: str, label: str, *overrides: tuple[str, Any]) -> Variant:
    claim = Claim("FP-LIIF §5.1", "FP-LIIF", protocol, "256")
    return Variant(protocol, label, "configs/lapa.py", overrides, (claim,))


def _cost(name: str, label: str, protocols: tuple[str, ...], source: str) -> Variant:
    claims = tuple(
        Claim(source, "FP-LIIF", protocol, protocol, f"FP-LIIF, output {protocol}²")
        for protocol in protocols
    )
    then = (
        ("fpliif_jax.experiments.cost", "cost.json"),
        ("fpliif_jax.experiments.benchmark", "benchmark.json"),
    )
    return Variant(
        name, label, "configs/celebamask_hq.py", (), claims, protocols, then=then, trains=False
    )


_TRAINED_APART = (("train.stages", ("coarse", "localisation", "fine")),)
_BASELINE_ICNN = (("model.cropper", "centroid"), ("train.stages", ("coarse", "fine")))


def _icnn_systems(
    config: str, source: str, then: tuple[tuple[str, str], ...] = ()
) -> tuple[Variant, ...]:
    """The three lines of STN-iCNN's Tables 2 and 3.

    How they were scored the paper does not say. The authors' notebooks, which print .9001 and .9104, score the
    padded canvas; the scripts test_ABC.py and test_basline.py crop the padding off before the label maps are saved
    that f1_score.py scores.
    """
    return (
        Variant("icnn", "iCNN", config, _BASELINE_ICNN, (Claim(source, "iCNN", "", "canvas"),)),
        Variant(
            "stn_icnn_apart",
            "STN-iCNN*",
            config,
            _TRAINED_APART,
            (Claim(source, "STN-iCNN*", "", "canvas"),),
        ),
        Variant(
            "stn_icnn",
            "STN-iCNN",
            config,
            (),
            (Claim(source, "STN-iCNN", "", "canvas"),),
            then=then,
        ),
    )


def _coarse_size(size: int) -> tuple[Variant, ...]:
    """Fig. 6 is a picture without numbers: baseline and STN-iCNN for one input size b of K."""
    field = (("model.coarse_size", size),)
    config = "configs/stn_icnn_helen.py"
    return (
        Variant(f"icnn-b={size}", f"iCNN, b = {size}", config, _BASELINE_ICNN + field),
        Variant(f"stn_icnn-b={size}", f"STN-iCNN, b = {size}", config, field),
    )


def _hours(*protocols: str) -> tuple[Claim, ...]:
    """Hours of training: of stages, and of no row of an evaluation."""
    return tuple(Claim("STN-iCNN §3.1", "STN-iCNN", protocol, "") for protocol in protocols)


_HELEN = "configs/stn_icnn_helen.py"
_CELEB = "configs/stn_icnn_celebamask_hq.py"

TABLES = (
    Table(
        "table1",
        "FP-LIIF Table 1: LaPa",
        (_fp_liif_on("lapa", "FP-LIIF", _output_size_claims("FP-LIIF Table 1")),),
    ),
    Table(
        "table2",
        "FP-LIIF Table 2: CelebAMask-HQ",
        (_fp_liif_on("celebamask_hq", "FP-LIIF", _output_size_claims("FP-LIIF Table 2")),),
    ),
    Table(
        "table3",
        "FP-LIIF Table 3: Helen",
        (_fp_liif_on("helen", "FP-LIIF", (Claim("FP-LIIF Table 3", "FP-LIIF", "256", "256"),)),),
    ),
    Table(
        "table4",
        "FP-LIIF Table 4: size, operations and speed",
        (_cost("cost", "FP-LIIF", ("256",), "FP-LIIF Table 4"),),
    ),
    Table(
        "table5",
        "FP-LIIF Table 5: weight λ of the edge loss, LaPa",
        tuple(_lambda(value) for value in (0, 10, 20, 30, 40)),
        baseline="lambda=40",
    ),
    Table(
        "table6",
        "FP-LIIF Table 6: operations and speed by output size",
        (_cost("cost", "FP-LIIF", ("64", "96", "128", "192", "256"), "FP-LIIF Table 6"),),
    ),
    Table(
        "table7",
        "FP-LIIF Table 7: mean and SD over runs",
        tuple(
            Variant(
                dataset,
                label,
                f"configs/{dataset}.py",
                claims=(Claim("FP-LIIF Table 7", "FP-LIIF", "runs", "256"),),
            )
            for dataset, label in (
                ("lapa", "LaPa"),
                ("celebamask_hq", "CelebAMask-HQ"),
                ("helen", "Helen"),
            )
        ),
    ),
    Table(
        "ablations",
        "FP-LIIF §5.1: decoder and norm, LaPa",
        (
            _ablation("instance_norm", "instance norm (FP-LIIF)"),
            _ablation("unet", "Conv U-Net decoder", ("model.decoder", "conv_unet")),
            _ablation("edsr", "no norm (EDSR)", ("model.norm", "none")),
            _ablation(
                "batch_norm",
                "batch norm",
                ("model.norm", "batch"),
                ("model.norm_affine", True),
            ),
        ),
        baseline="instance_norm",
    ),
    Table(
        "open_questions",
        "What FP-LIIF leaves open, and choices against its text: effect of each, LaPa",
        (
            _reading("default", "the default readings"),
            _reading("sampling", "nearest sampling (LIIF)", model__sampling="nearest"),
            _reading("area", "area weights (LIIF)", model__ensemble="area"),
            _reading("no_ensemble", "no local ensemble", model__ensemble="none"),
            _reading("relative", "relative position (eq. 2)", model__position="relative"),
            _reading("affine", "norm with scale and bias", model__norm_affine=True),
            _reading("lecun", "lecun_normal initialisation", model__initializer="lecun_normal"),
            _reading("times_tau", "logits · τ", loss__temperature_mode="multiply"),
            _reading("no_tau", "no temperature", loss__temperature_mode="none"),
            _reading("wide_edges", "edges dilated once", loss__edge_width=2),
            _reading("all_pixels", "edge loss ÷ all pixels", loss__edge_reduction="all_pixels"),
            _reading("step100", "÷10 every 100 epochs", train__decay_every_epochs=100),
            _reading("step200", "÷10 every 200 epochs", train__decay_every_epochs=200),
            _reading("cosine", "cosine schedule", train__schedule="cosine"),
            _reading("nearest_masks", "masks resized by nearest", data__label_resize="nearest"),
            _reading("pytorch_bicubic", "PyTorch's bicubic", data__bicubic="pytorch"),
            _reading("imagenet", "ImageNet input scaling", data__input_scaling="imagenet"),
            _reading("unit", "inputs in [0, 1]", data__input_scaling="unit"),
            _reading("centred", "centred crop", augment__crop="centred"),
            _reading("ignore", "empty border not in the loss", augment__fill="ignore"),
            _reading("flip", "horizontal flip", augment__horizontal_flip=True),
        ),
        baseline="default",
    ),
    Table(
        "open_upsampling",
        "What FP-LIIF leaves open: how a 64² output is enlarged to 256², LaPa",
        (
            Variant("logits", "logits, bilinear", "configs/lapa.py", rows=("64->256",)),
            Variant(
                "labels",
                "label map, nearest",
                "configs/lapa.py",
                (("eval.upsampling", "labels"),),
                rows=("64->256",),
            ),
        ),
        baseline="logits",
    ),
    Table(
        "open_helen",
        "What FP-LIIF does not give for Helen: λ and batch",
        (
            Variant("lambda=40,batch=64", "λ = 40, batch 64, as LaPa", "configs/helen.py"),
            Variant("lambda=10", "λ = 10", "configs/helen.py", (("loss.edge_weight", 10.0),)),
            Variant("batch=33", "batch 33", "configs/helen.py", (("train.batch_size", 33),)),
        ),
        baseline="lambda=40,batch=64",
    ),
    Table(
        "open_batch",
        "What FP-LIIF leaves open: is the batch of 33 on four GPUs global? CelebAMask-HQ",
        (
            Variant("global", "33 over all GPUs", "configs/celebamask_hq.py"),
            Variant(
                "each",
                "33 on each of four GPUs",
                "configs/celebamask_hq.py",
                (("train.batch_size", 132),),
            ),
        ),
        baseline="global",
    ),
    Table(
        "stn_table2",
        "STN-iCNN Table 2: Helen",
        (
            *_icnn_systems(_HELEN, "STN-iCNN Table 2"),
            Variant(
                "official",
                "STN-iCNN, the authors' code",
                "configs/stn_icnn_helen_official.py",
                (),
                (
                    Claim("STN-iCNN README", "STN-iCNN", "ten runs", "canvas"),
                    Claim("STN-iCNN notebooks", "STN-iCNN", "", "canvas", "… one run, notebook"),
                ),
            ),
        ),
        baseline="icnn",
    ),
    Table(
        "stn_table3",
        "STN-iCNN Table 3: CelebAMask-HQ, Helen's labels",
        _icnn_systems(_CELEB, "STN-iCNN Table 3"),
        baseline="icnn",
    ),
    Table(
        "stn_table4",
        "STN-iCNN Table 4: Helen, with other systems",
        tuple(
            variant
            for variant in _icnn_systems(_HELEN, "STN-iCNN Table 4")
            if variant.name != "stn_icnn_apart"
        ),
        baseline="icnn",
    ),
    Table(
        "stn_fig5",
        "STN-iCNN Fig. 5: a part of the face hidden",
        (
            Variant(
                "stn_icnn_apart",
                "STN-iCNN*",
                _HELEN,
                _TRAINED_APART,
                then=(("fpliif_jax.experiments.robustness", "robustness/robustness.json"),),
            ),
            Variant(
                "stn_icnn",
                "STN-iCNN",
                _HELEN,
                then=(("fpliif_jax.experiments.robustness", "robustness/robustness.json"),),
            ),
        ),
    ),
    Table(
        "stn_fig6",
        "STN-iCNN Fig. 6: input size b of the coarse network, Helen",
        (*_coarse_size(64), *_coarse_size(128)),
        baseline="icnn-b=64",
    ),
    Table(
        "stn_finetune",
        "STN-iCNN §3.1: trained on Helen, fine-tuned on CelebAMask-HQ",
        (
            Variant("helen", "STN-iCNN on Helen", _HELEN),
            Variant(
                "finetuned",
                "fine-tuned on 2,000 images",
                "configs/stn_icnn_celebamask_hq_finetune.py",
                needs="helen",
            ),
            Variant("direct", "trained on CelebAMask-HQ", _CELEB),
        ),
        baseline="direct",
    ),
    Table(
        "stn_efficiency",
        "STN-iCNN §3.1: milliseconds a face, hours of training",
        (
            Variant(
                "one_face",
                "one face",
                _HELEN,
                claims=tuple(
                    Claim("STN-iCNN §3.1", system, "", "", system)
                    for system in ("iCNN", "STN-iCNN")
                ),
                then=(("fpliif_jax.experiments.benchmark", "benchmark.json"),),
                trains=False,
            ),
            Variant("helen", "Helen", _HELEN, claims=_hours("pre-training", "end-to-end")),
            Variant(
                "celebamask_hq",
                "CelebAMask-HQ",
                _CELEB,
                claims=_hours("pre-training", "end-to-end"),
            ),
            Variant(
                "finetuned",
                "Helen, then 2,000 images of CelebAMask-HQ",
                "configs/stn_icnn_celebamask_hq_finetune.py",
                claims=_hours("fine-tuning"),
                needs="helen",
            ),
        ),
    ),
)


def table_named(name: str) -> Table:
    """The table of that name.

    Raises:
      UserError: there is none; the message lists them.
    """
    found = [table for table in TABLES if table.name == name]
    if not found:
        names = [table.name for table in TABLES]
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]!r}? There" if close else "there"
        raise UserError(f"there is no table {name!r}; {hint} are {', '.join(names)}")
    return found[0]
