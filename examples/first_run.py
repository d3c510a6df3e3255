# %% [markdown]
# # From drawn faces to two seeds and an interval
#
# Draws faces, trains a small FP-LIIF with two seeds, labels faces that it has not seen, exports the network, and asks
# whether the seeds differ. It needs no download and no GPU; training takes some minutes on two CPU cores. Run it from
# the root of a clone. Everything is written into `runs/first_run`, which may be deleted.
#
# `FPLIIF_JAX_NOTEBOOK=short` trains a much smaller network for one epoch, in `runs/first_run_short`: enough to see that
# all cells run, too little for scores that mean anything.

# %%
import os
import pathlib
import subprocess
import sys

import numpy as np
from PIL import Image, ImageDraw

if not pathlib.Path("fpliif_jax").is_dir() and pathlib.Path("../fpliif_jax").is_dir():
    os.chdir("..")  # Jupyter starts in the notebook's folder
sys.path.insert(0, os.getcwd())
PICTURES = os.environ.get("FPLIIF_JAX_PICTURES")  # folder for the pictures of docs/first_run.md
IS_SHORT = os.environ.get("FPLIIF_JAX_NOTEBOOK") == "short"
PLACE = pathlib.Path("runs/first_run_short" if IS_SHORT else "runs/first_run")


def run(*command: object) -> None:
    """Runs one of the package's commands, as in a terminal, and shows the end of what it prints."""
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines() if not done.returncode else done.stderr.splitlines()
    print("\n".join(lines[-12:]))
    if done.returncode:
        raise SystemExit(f"{command[1]} failed")


def show(name: str, pictures: list[Image.Image], titles: list[str]) -> Image.Image:
    """Pictures in a row, each under its title."""
    side = 160
    row = Image.new("RGB", (len(pictures) * (side + 4) - 4, side + 16), "white")
    for index, (picture, title) in enumerate(zip(pictures, titles, strict=True)):
        place = index * (side + 4)
        row.paste(picture.resize((side, side), Image.Resampling.BICUBIC), (place, 16))
        ImageDraw.Draw(row).text((place, 2), title, fill="black")
    if PICTURES:
        row.save(pathlib.Path(PICTURES) / f"{name}.jpg", quality=85, optimize=True)
    return row


# %% [markdown]
# ## Draw faces and train two seeds
#
# One command draws 600 faces for training, prepares them as the official LaPa download would be, and trains the default
# network of 0.1 M parameters, once a seed. A second call finds both runs finished.

# %%
settings = [f"--config.data.{kind}_dir={PLACE}/{kind}" for kind in ("manual", "data")]
settings += ["--config.train.epochs=4", "--config.eval.rows=('64', '128')"]
if IS_SHORT:
    settings[2:] = [
        *("--config.train.epochs=1", "--config.data.image_size=32", "--config.model.features=8"),
        *(f"--config.data.synthetic.num_{split}=8" for split in ("train", "val", "test")),
        *("--config.data.synthetic.image_size=64", "--config.eval.rows=('32',)"),
    ]
run(
    "-m",
    "experiments.multi_seed",
    "--config=synthetic",
    "--seeds=0,1",
    f"--workdir={PLACE}/seeds",
    *settings,
)

# %% [markdown]
# ## Label faces that it has not seen
#
# A parser answers at any size: the network has seen faces of 64², and is asked for 160². Of each face: the photo, the
# label map, and both laid over each other.

# %%
from fpliif_jax import FaceParser  # noqa: E402
from fpliif_jax.pictures import label_maps  # noqa: E402

parser = FaceParser.from_run(PLACE / "seeds/seed0")
photos = sorted((PLACE / "manual").glob("*/LaPa/test/images/*.jpg"))[:2]
pictures, titles = [], []
for parsed in parser(photos, size=160):
    colours = label_maps.palette_image(parsed.labels, parser.class_names).convert("RGB")
    pictures += [Image.fromarray(parsed.photo), colours, parsed.overlay()]
    titles += ["drawn face", "label map", "overlay"]
print(parser)
show("labels", pictures, titles)

# %% [markdown]
# ## How sure it is
#
# Probabilities are the softmax of the training loss. Dark is where the likeliest class has little of it: along borders.

# %%
parsed = parser(photos[0], size=160)
confidence = parsed.probabilities.max(axis=0)
hair = parsed.probabilities[parser.class_names.index("hair")]
shades = [
    Image.fromarray((255 * values).astype(np.uint8)).convert("RGB") for values in (confidence, hair)
]
show(
    "probabilities",
    [Image.fromarray(parsed.photo), *shades],
    ["drawn face", "largest probability", "hair"],
)

# %% [markdown]
# ## Take it elsewhere
#
# The network as one ONNX file for any output size, compared with JAX before it is there; and a face labelled by it
# without JAX (the extra `export`).

# %%
exported = PLACE / "exported"
if not exported.exists():
    run(
        "-m",
        "fpliif_jax.export",
        f"--workdir={PLACE}/seeds/seed0",
        "--format=onnx",
        f"--output={exported}",
    )
run("examples/onnx_only.py", exported, photos[0], PLACE / "labels.png", "--output_size=160x160")
same = np.mean(np.asarray(Image.open(PLACE / "labels.png")) == parsed.labels)
print(f"{same:.2%} of the pixels have the label that JAX gives")

# %% [markdown]
# ## Do the seeds differ?
#
# Every evaluation leaves the confusion matrix of every image, so that intervals need no model. Of each run: mean F1
# over the test faces, and how far it would move with other test faces (2,000 resamples of the images). Of both: the
# difference on the same faces. An interval around zero does not say that seeds do not matter: it is about these two
# runs and other images, and says nothing of other seeds.

# %%
from fpliif_jax.experiments.runs.arrays import load_matrices  # noqa: E402
from fpliif_jax.experiments.runs.runs import read_runs  # noqa: E402
from fpliif_jax.experiments.stats import image_bootstrap  # noqa: E402

matrices = []
for one in read_runs(PLACE / "seeds"):
    best = next(each for each in one.evaluations if each.checkpoint == "best")
    matrices.append(load_matrices(one, best))
for seed, of_run in enumerate(image_bootstrap.stack(matrices)):
    score = image_bootstrap.image_bootstrap(of_run[None]).mean
    if score is not None:  # of a class that is nowhere, mean F1 is undefined
        print(f"seed {seed}: mean F1 {score.estimate:.2f} [{score.low:.2f}, {score.high:.2f}]")
paired = image_bootstrap.paired_runs(*matrices)
if paired.difference is not None and paired.interval is not None:
    low, high = paired.interval
    between = f"{paired.difference:+.2f} points [{low:+.2f}, {high:+.2f}]"
    print(f"seed 0 less seed 1: {between}, {paired.images} faces")

# %%
other = FaceParser.from_run(PLACE / "seeds/seed1")
pictures, titles = [], []
for photo in photos:
    labels = [each(photo, size=160).labels for each in (parser, other)]
    differ = Image.fromarray((255 * (labels[0] != labels[1])).astype(np.uint8)).convert("RGB")
    overlays = [each(photo, size=160).overlay() for each in (parser, other)]
    pictures += [*overlays, differ]
    titles += ["seed 0", "seed 1", "where they differ"]
show("seeds", pictures, titles)

# %% [markdown]
# `python -m experiments.report --runs=runs/first_run/seeds --output=runs/first_run/report` writes a report of both.
# More: docs/studies.md, docs/own_data.md, docs/predict.md.
