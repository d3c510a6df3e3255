"""The version of Linux without what one machine alone has in its name."""

import re

# Of platform.platform(): the number of the kernel, what who built it added, and the processor's kind and C library.
_KERNEL = re.compile(r"^(Linux-[0-9]+(?:\.[0-9]+)*).*?-([^-]+(?:-with-.+)?)$")


def without_local_version(platform: str) -> str:
    """'Linux-6.8.0-45-generic-x86_64-with-glibc2.39' -> 'Linux-6.8.0-x86_64-with-glibc2.39'."""
    return _KERNEL.sub(r"\1-\2", platform)
