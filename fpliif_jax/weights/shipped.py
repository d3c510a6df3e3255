"""Which files of weights come with the package, and whether they are still what they were when it was made."""

import dataclasses
import hashlib
import pathlib
from typing import TypeGuard

from fpliif_jax.data_builders.errors import UserError
from fpliif_jax.data_builders.host.regular_files import MEBIBYTE, read_regular

_LARGEST = 3 * MEBIBYTE  # every user downloads them all with the package


class WeightsError(UserError):
    """Weights that come with the package cannot be used; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Shipped:
    """A file of weights that comes with the package.

    Attributes:
      sha256: of the file, in hexadecimal digits.
      config: name of the experiment that trained them.
      note: where they come from, in one line.
    """

    sha256: str
    config: str
    note: str


# Whoever trains others gives them another name: runs record by which they began.
SHIPPED = {
    "drawn": Shipped(
        "4add61ae79b82b394742eacd3d705fa6601364ce37aa353c871c673e03280a47",
        "drawn_faces",
        "weights 'drawn' of fpliif_jax, trained on 8,000 drawn faces and no photograph (docs/model_card.md)",
    ),
    "drawn_small": Shipped(
        "b9549436637a305b671bc2073b6f5b76338970846ea07fca9890f98d2cc55a23",
        "drawn_faces_small",
        "weights 'drawn_small' of fpliif_jax, trained on 4,000 drawn faces and no photograph "
        "(docs/model_card_small.md)",
    ),
    "drawn_19_classes": Shipped(
        "6cc43f890a53a59b8e1a443413a29a6ab5b202ab37e94eba3b09d8dd42ea826c",
        "drawn_faces_19_classes",
        "weights 'drawn_19_classes' of fpliif_jax, trained on 4,000 drawn faces and no photograph, begun "
        "with 'drawn_small' (docs/model_card_19_classes.md)",
    ),
    "drawn_stn_icnn": Shipped(
        "6b59322aae46b8b19a450f66c675ededa4316cfb68294afdf288ebc35a884fdd",
        "drawn_faces_stn_icnn",
        "weights 'drawn_stn_icnn' of fpliif_jax, trained on 2,400 drawn faces and no photograph "
        "(docs/model_card_stn_icnn.md)",
    ),
}
NAMES = tuple(SHIPPED)
DEFAULT = "drawn"  # of commands that need no more than some model
CHECKPOINT = "best"  # of the run that the weights are of
PREFIX = "weights:"  # of a name where a folder of a run could stand too


def is_folder_of_run(start: object) -> TypeGuard[str]:
    """Whether a value of train.init_from is a run's folder: not empty, and no weights of the package."""
    return isinstance(start, str) and start != "" and not start.startswith(PREFIX)


def shipped(name: str) -> Shipped:
    """The record of the weights with that name.

    Raises:
      WeightsError: there are none; lists the names.
    """
    if name not in SHIPPED:
        raise WeightsError(
            f"there are no weights {name!r} in this package; it has {', '.join(NAMES)}"
        )
    return SHIPPED[name]


def path(name: str) -> pathlib.Path:
    """Where the file of these weights lies; WeightsError as `shipped`."""
    shipped(name)
    return pathlib.Path(__file__).parent / f"{name}.safetensors"


def content(name: str) -> bytes:
    """The bytes of a file, compared with the digest that this code has of it.

    Raises:
      WeightsError: there is no such name, or the file is missing, damaged or another.
    """
    file, remedy = path(name), "install fpliif_jax anew"
    try:
        data = read_regular(file, _LARGEST)
    except OSError as error:
        raise WeightsError(f"{file}: {error.strerror or error}; {remedy}") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != shipped(name).sha256:
        raise WeightsError(
            f"{file} is not the file that belongs here: its sha256 is {digest[:16]}…, that of the weights "
            f"{shipped(name).sha256[:16]}…; {remedy}"
        )
    return data
