"""Tests of names of platforms: what one machine alone has in its is left out."""

import pytest

from fpliif_jax.experiments.runs.local_versions import without_local_version


@pytest.mark.parametrize(
    ("platform", "shown"),
    [
        ("Linux-6.18.44-gpu-of-alice-x86_64-with-glibc2.39", "Linux-6.18.44-x86_64-with-glibc2.39"),
        ("Linux-6.8.0-45-generic-aarch64-with-glibc2.39", "Linux-6.8.0-aarch64-with-glibc2.39"),
        ("Linux-5.15.0+-x86_64-with-glibc2.31", "Linux-5.15.0-x86_64-with-glibc2.31"),
        ("Linux-6.18.44-x86_64-with-glibc2.39", "Linux-6.18.44-x86_64-with-glibc2.39"),
        ("Linux-6.6.1-alice-x86_64", "Linux-6.6.1-x86_64"),
        ("macOS-14.5-arm64-arm-64bit", "macOS-14.5-arm64-arm-64bit"),
        ("Windows-11-10.0.22631-SP0", "Windows-11-10.0.22631-SP0"),
        ("", ""),
    ],
)
def test_of_a_kernel_its_number_is_left(platform: str, shown: str) -> None:
    assert without_local_version(platform) == shown
    assert without_local_version(shown) == shown
