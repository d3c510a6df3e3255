"""The data of a group of runs as people read it: what was trained on, and what was scored."""

from collections.abc import Mapping

from fpliif_jax.data.set_names import set_name
from fpliif_jax.data_builders import BUILDERS
from fpliif_jax.data_builders.class_names import sides_note
from fpliif_jax.experiments.comparison.study_groups import ReportGroup
from fpliif_jax.experiments.report import wording
from fpliif_jax.experiments.runs.results import RecordedDataset
from fpliif_jax.experiments.runs.run_data import short
from fpliif_jax.experiments.runs.training_data import TrainingData
from fpliif_jax.experiments.runs.value_types import ELSEWHERE
from fpliif_jax.experiments.stats import number_text
from fpliif_jax.fields.json_types import JsonObject

_CLASSES = {"lapa": "in the classes of lapa", "facial_parts": "as facial parts"}


def data_text(group: ReportGroup) -> str:
    """What a group was trained on and scored on.

    'lapa, 18,176 train / 2,000 validation / 2,000 test', what is known of their origin, and the digest of their label
    maps; or 'trained on …; scored on …', of which set then no more than the splits that were scored is counted.
    """
    start = f"; started from {wording.plain(group.start)}" if group.start else ""
    if note := sides_note(group.class_names):
        start += f"; {note}"
    classes = _CLASSES.get(group.labels, "")
    if group.trained_on is None:
        return dataset_text(group.dataset, classes) + start
    splits = _scored_splits(group)
    dataset = group.dataset
    counts = {split: dataset.counts[split] for split in splits}
    parts = [dataset.name, _counts(counts), classes, _origin(dataset)]
    labels = dataset.labels
    scored = [f"{split} label maps {short(labels[split])}" for split in splits if labels]
    scored = [*filter(None, parts), *(scored or ["no digest recorded"])]
    trained = _trained_on(group.trained_on) + start
    return f"{trained}; scored on {', '.join(map(wording.plain, scored))}"


def dataset_text(dataset: RecordedDataset, classes: str = "") -> str:
    """The data that runs were trained and scored on; `classes` are those that theirs were made."""
    parts = [wording.plain(dataset.name), _counts(dataset.counts), classes, _origin(dataset)]
    digest = f"label maps {short(dataset.digest_of_labels)}" if dataset.labels else ""
    parts.append(digest or "no digest recorded")
    return ", ".join(part for part in parts if part)


def digest_rows(group: ReportGroup) -> list[tuple[str, str, str]]:
    """(split, digest of its label maps, digest of its ids), in full; none where they are not recorded.

    Of a set that was scored alone the splits that were, and what was trained on before them.
    """
    dataset, digest = group.dataset, group.dataset.digest
    rows: list[tuple[str, str, str]] = []
    if digest is not None:
        rows = [
            (split, labels or number_text.MISSING, digest.ids[split] or number_text.MISSING)
            for split, labels in digest.labels.items()
        ]
    if group.trained_on is None:
        return rows
    trained = group.trained_on.digest
    scored = _scored_splits(group)
    after = [
        (f"scored: {split} of {dataset.name}", labels, ids)
        for split, labels, ids in rows
        if split in scored
    ]
    if not trained:
        return after
    return [(f"trained on: {group.trained_on.title}", trained, number_text.MISSING), *after]


def place(group: ReportGroup, split: str, checkpoint: str, protocol: str = "") -> str:
    """Place of a score, of a set that was scored alone with the set's name: 'test split of helen, …'."""
    text = wording.score_place(split, checkpoint, protocol)
    if group.trained_on is None or not split:
        return text
    return text.replace(f"{split} split", f"{split} split of {group.dataset.name}", 1)


def set_titles(group: ReportGroup) -> tuple[str, str]:
    """What was trained on and what was scored: 'drawn faces in the layout of lapa', 'lapa'; '' for what is unknown."""
    scored = set_name(group.dataset.name, group.dataset.drawn)
    if group.model == ELSEWHERE:
        return "", scored
    trained = scored if group.trained_on is None else group.trained_on.title
    return (f"{trained}, started from {group.start}" if group.start else trained), scored


def validation_text(group: ReportGroup) -> str:
    """Whose validation split the curves of training are of, where that is not the set that was scored; or ''."""
    trained = group.trained_on
    return f"validation on {trained.title}" if trained is not None and trained.name else ""


def _scored_splits(group: ReportGroup) -> list[str]:
    scored = {score.key.split for score in group.scores}
    return [split for split in group.dataset.counts if split in scored]


def _trained_on(data: TrainingData) -> str:
    if data.weights:
        return f"not trained here: {wording.plain(data.weights)}"
    text = _counts(data.counts) or "numbers of images not recorded"
    style = _style(data.drawing) if data.drawn else ""
    digest = f"label maps {short(data.digest)}" if data.digest else "no digest recorded"
    return f"trained on {', '.join(filter(None, (wording.plain(data.title), style, text, digest)))}"


def _counts(counts: Mapping[str, int]) -> str:
    return " / ".join(f"{count:,} {split}" for split, count in counts.items())


def _style(drawing: JsonObject | None) -> str:
    """'photographic style, without camera and pose, with hats': of drawn faces, where it is recorded and not the
    plain style."""
    drawing = drawing or {}
    style = drawing.get("style")
    parts = [f"{wording.plain(style)} style" if style else ""]
    for word, field in (("without", "without"), ("with", "also")):
        value = drawing.get(field) or ()
        names = value.split(",") if isinstance(value, str) else value
        parts.append(f"{word} {wording.plain(names).replace(', ', ' and ')}" if names else "")
    return ", ".join(filter(None, parts))


def _origin(dataset: RecordedDataset) -> str:
    """No more than is checked: counts, and ids where the official ones are known."""
    if dataset.drawn:
        return ", ".join(filter(None, ("drawn faces", _style(dataset.drawing))))
    if dataset.name in BUILDERS and BUILDERS[dataset.name].OFFICIAL_COUNTS is None:
        return "a set of one's own"
    if not dataset.complete:
        return "not the complete official set"
    if dataset.official_ids is False:
        return "official counts, other ids"
    if dataset.drawn is None:
        return "official counts; whether the faces are drawn is not recorded"
    checked = "official counts and ids" if dataset.official_ids else "official counts"
    return f"{checked}; whether the pixels are the official ones is not verified"
