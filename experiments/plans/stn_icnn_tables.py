"""The tables and figures of STN-iCNN's paper."""

from fpliif_jax.experiments.plans.variant import Claim, Table, Variant

_TRAINED_APART = (("train.stages", ("coarse", "localisation", "fine")),)
_BASELINE_ICNN = (("model.cropper", "centroid"), ("train.stages", ("coarse", "fine")))


def _icnn_systems(config: str, source: str) -> tuple[Variant, ...]:
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
