"""What scores are called wherever a person reads them: the words of docs/glossary.md."""

from fpliif_jax.data_builders.class_names import class_title

_TITLES = {
    "mean_f1": "mean F1",
    "mean_f1_with_background": "mean F1 with background",
    "f1": "F1",
    "group_f1": "group F1",
    "miou": "mIoU",
    "miou_with_background": "mIoU with background",
    "per_image_mean_f1": "per-image F1",
}
# Groups with a name of their own.
_GROUPS = {"overall": "overall F1", "overall_merged": "overall merged F1"}


def score_title(metric: str, class_name: str | None = None) -> str:
    """'F1 of skin', 'mean F1', 'group F1 of eyes', 'overall F1'; what is no score of ours by its own name.

    Args:
      metric: as results.json has it, 'group_f1'; or of a published table.
      class_name: of a class or group; 'mean', '' and None are none.
    """
    if metric == "group_f1" and class_name in _GROUPS:
        return _GROUPS[class_name]
    title = _TITLES.get(metric, str(metric).replace("_", " "))
    return title if class_name in (None, "", "mean") else f"{title} of {class_title(class_name)}"
