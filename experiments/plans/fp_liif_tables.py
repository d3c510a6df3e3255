"""The tables of FP-LIIF's paper, and what it leaves open."""

from typing import Any

from fpliif_jax.experiments.plans.variant import Claim, Table, Variant

_ROWS = ("256", "512", "192->256", "128->256", "96->256", "64->256")


def _output_size_claims(source: str) -> tuple[Claim, ...]:
    # `Protocol.title` says the same of a row, but a command's --help must not wait for JAX.
    return tuple(
        Claim(source, "FP-LIIF", row, row, f"FP-LIIF, {row.replace('->', ' → ')}") for row in _ROWS
    )


def _fp_liif_on(dataset: str, label: str, claims: tuple[Claim, ...]) -> Variant:
    rows = _ROWS if dataset != "helen" else ("256",)
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
)
