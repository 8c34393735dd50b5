"""The C core is built when the package is installed; all else is in pyproject.toml."""

from setuptools import setup

BUILD = "jackcomp/engine/build_core.py"

setup(cffi_modules=[f"{BUILD}:core", f"{BUILD}:jack_host"])
