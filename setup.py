"""Which folders make the package: three of them lie beside fpliif_jax here, and within it where it is installed."""

from setuptools import find_packages, setup

BESIDE = ("configs", "data_builders", "experiments")

beside = find_packages(include=[pattern for name in BESIDE for pattern in (name, f"{name}.*")])
setup(
    packages=[
        *find_packages(include=["fpliif_jax", "fpliif_jax.*"]),
        *(f"fpliif_jax.{name}" for name in beside),
    ],
    package_dir={f"fpliif_jax.{name}": name for name in BESIDE},
)
