"""Fingerprints of a raw tree: an expensive one of its content, a cheap one of its directory entries."""

import hashlib
import os
from collections.abc import Iterable, Sequence

from fpliif_jax.data_builders.errors import DataError
from fpliif_jax.data_builders.raw.orientation import UPRIGHT, orientation_of_file
from fpliif_jax.data_builders.raw.raw_tree import RawExample, RawTree


def content_digest(paths: Sequence[str], contents: Sequence[bytes]) -> bytes:
    """SHA-256 of a few files: their paths, lengths and contents. 32 bytes."""
    digest = hashlib.sha256()
    for path, content in zip(paths, contents, strict=True):
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.digest()


def upright_digest(paths: Sequence[str], contents: Sequence[bytes]) -> bytes:
    """The content digest of one example's files, the image first. 32 bytes.

    Another one where the image is turned upright: sets prepared before that was done are other
    data.
    """
    digest = content_digest(paths, contents)
    if orientation_of_file(contents[0]) == UPRIGHT:
        return digest
    return hashlib.sha256(b"upright\0" + digest).digest()


def example_digest(tree: RawTree, example: RawExample) -> bytes:
    """The digest of one example's files, read from disk. 32 bytes."""
    paths = (example.image, *example.labels)
    return upright_digest(paths, [tree.read(path) for path in paths])


def tree_fingerprint(identity: str, tree: RawTree, example_digests: Iterable[bytes]) -> str:
    """SHA-256, as 64 hexadecimal digits, of all that a prepared set is made from.

    Args:
        identity: name, config and version of the builder, so that two merge profiles of one
            download have two fingerprints.
        tree: the raw tree; its lists are read.
        example_digests: content digest of every example, in the order of `tree.examples()`.
    """
    digest = hashlib.sha256(identity.encode())
    digest.update(content_digest(tree.lists, [tree.read(path) for path in tree.lists]))
    digests = iter(example_digests)
    for split, examples in tree.splits.items():
        digest.update(f"\0{split}\0{len(examples)}\0".encode())
        for _ in examples:
            digest.update(next(digests))
    if next(digests, None) is not None:
        raise ValueError("there are more digests than examples")
    return digest.hexdigest()


def stat_digest(tree: RawTree) -> str:
    """SHA-256, as 64 hexadecimal digits, of path, size and times of every file.

    Reads no file. Equal digests mean the same tree; different ones may be a copy of it. The time of
    the last status change is part of it because, unlike that of the last modification, nothing can
    set it back.

    Raises:
        DataError: a file is gone.
    """
    digest = hashlib.sha256()
    for path in tree.files():
        try:
            stat = os.stat(tree.root / path)
        except OSError as error:
            raise DataError(
                f"{tree.root / path}: the file cannot be read ({error.strerror}). {tree.remedy}"
            ) from error
        digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}\0".encode())
    return digest.hexdigest()
