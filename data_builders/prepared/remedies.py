"""What a person can do about a set: the commands that prepare it, and the sentences around them."""

import dataclasses
import pathlib
import shlex

from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.prepared import prepared_set
from fpliif_jax.data_builders.raw.raw_tree import RawTree


@dataclasses.dataclass(frozen=True)
class Remedies:
    """Commands and sentences with which a person mends one set.

    Attributes:
        name: of the data set.
        builder_config: None for the default one.
        root: folder of all prepared sets.
        folder: of this one, whether prepared or not.
        instructions: what to download, from whom, where to unpack it.
    """

    name: str
    builder_config: str | None
    root: pathlib.Path
    folder: pathlib.Path
    instructions: str

    def command(self, manual_dir: str) -> str:
        """The command that prepares it."""
        command = (
            f"python -m fpliif_jax.data_builders.prepare {self.name} "
            f"--manual_dir={shlex.quote(manual_dir)}"
        )
        if self.builder_config is not None:
            command += f" --builder_config={self.builder_config}"
        return f"{command} --data_dir={shlex.quote(str(self.root))}"

    def how_to_get_it(self) -> str:
        """How a person gets the set, from the download on."""
        return f"{self.instructions} Then: {self.command('DIR')}"

    def how_to_rebuild(self, tree: RawTree | None) -> str:
        """How a person rebuilds the set from a tree or, where that is not given, from the one that it was made from."""
        origin = tree or prepared_set.read_origin(self.folder)
        manual_dir = str(origin.manual_dir) if origin else "DIR"
        return (
            f"To replace it: {self.command(manual_dir)} --rebuild. To keep it, give another "
            "--data_dir."
        )

    def nothing_prepared(self, rebuild: bool) -> DataError:
        """The error that says that there are no raw data to prepare it from."""
        if rebuild:
            return DataError(
                f"{self.name} cannot be rebuilt without the raw data: give its folder with "
                "--manual_dir. " + self.how_to_get_it()
            )
        return DataError(
            f"{self.name} is not prepared in {self.root}, and no manual_dir says where "
            f"the raw data are. {self.how_to_get_it()}"
        )

    def damaged(self, reason: object, tree: RawTree | None) -> DataError:
        """The error that says that the prepared set is damaged, and how to make it anew."""
        return DataError(
            f"{self.folder}: this prepared set is damaged, or was not made by this "
            f"program ({reason}). {self.how_to_rebuild(tree)}"
        )

    def of_other_data(
        self, origin: prepared_set.Origin, tree: RawTree, tree_fingerprint: str
    ) -> DataError:
        """The error that says that it was made from another tree than this one."""
        return DataError(
            f"{self.folder} was prepared from other data: on {origin.prepared_at} from "
            f"{origin.manual_dir} (fingerprint {origin.fingerprint[:12]}); {tree.root} has "
            f"fingerprint {tree_fingerprint[:12]}. " + self.how_to_rebuild(tree)
        )

    def turned(self, file_name: str, tree: RawTree | None) -> DataError:
        """The error that says that it was made by a version that left photos as they were stored."""
        return DataError(
            f"{self.folder}: this set was prepared when photos were not yet "
            "turned upright by their EXIF orientation, and has photos that lie turned "
            f"({file_name}). {self.how_to_rebuild(tree)}"
        )
