"""A RunRecord to report on, and the bytes of its report, made once."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from simulator.report import RunRecord, report_files

HERE = Path(__file__).parent


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    return _load("pulsetrain_synthetic", HERE.parent / "metrics" / "synthetic.py")


@pytest.fixture(scope="session")
def sample() -> ModuleType:
    return _load("pulsetrain_sample", HERE / "sample.py")


@pytest.fixture(scope="session")
def record(sample: ModuleType, synthetic: ModuleType) -> RunRecord:
    made: RunRecord = sample.record(synthetic)
    return made


@pytest.fixture(scope="session")
def files(record: RunRecord) -> dict[str, bytes]:
    return report_files(record)
