"""Builds the native core into the package; everything else about the project is in pyproject.toml.

A machine without a C compiler still gets a working installation: the kernels fall back to NumPy,
with the same bits.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

try:  # setuptools 70.1 and later bring the command; before, wheel did
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:
    from wheel.bdist_wheel import bdist_wheel

PACKAGE = Path("simulator", "numerics")


def load_build() -> ModuleType:
    """``simulator/numerics/build.py``, loaded by path: the package's dependencies may be missing."""
    spec = importlib.util.spec_from_file_location(
        "pulsetrain_build", Path(__file__).parent / PACKAGE / "build.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class BuildNative(build_py):
    """Also compiles the library: beside the copied package, or in the sources of an editable one."""

    def run(self) -> None:
        super().run()
        build = load_build()
        root = Path(__file__).parent if self.editable_mode else Path(self.build_lib)
        try:
            build.remove_stale(root / PACKAGE)
            library = build.build(root / PACKAGE)
        except build.BuildError as error:
            print(f"pulsetrain: no native core ({error}); NumPy computes", file=sys.stderr)
        else:
            print(f"pulsetrain: built {library.name}")


class PlatformWheel(bdist_wheel):
    """The library is loaded through ctypes: any Python 3, but this platform only."""

    def get_tag(self) -> tuple[str, str, str]:
        return ("py3", "none", super().get_tag()[2])


class NativeDistribution(Distribution):
    """A distribution that is not pure Python, though it has no extension module."""

    def has_ext_modules(self) -> bool:
        return True


setup(
    cmdclass={"build_py": BuildNative, "bdist_wheel": PlatformWheel},
    distclass=NativeDistribution,
)
