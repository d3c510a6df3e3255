"""tensorboardX without PyTorch: it imports that for a type annotation where it is installed, which takes seconds."""

import contextlib
import pathlib
import sys
import threading
import types
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter


def summary_writer(folder: pathlib.Path, purge_step: int) -> "SummaryWriter":
    """A writer of event files in `folder`; of earlier files TensorBoard leaves out events from `purge_step` on."""
    with without_torch():
        from tensorboardX import SummaryWriter
    return SummaryWriter(str(folder), purge_step=purge_step)


@contextlib.contextmanager
def without_torch() -> Iterator[None]:
    """Where PyTorch is not imported yet, an import of it by this thread is an ImportError."""
    nowhere = _Nowhere()
    # Lists of their own: another thread may be going through the one that is there.
    sys.meta_path = [nowhere, *sys.meta_path]
    try:
        yield
    finally:
        sys.meta_path = [finder for finder in sys.meta_path if finder is not nowhere]


class _Nowhere:
    """Has the thread that makes it find no PyTorch."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: types.ModuleType | None = None,
    ) -> None:
        """See importlib.abc.MetaPathFinder; None has the other finders asked."""
        if fullname == "torch" and threading.get_ident() == self._thread:
            raise ModuleNotFoundError("left out here", name=fullname)
