"""Optimizers from a user's file: what is accepted, and one line for each thing that is not."""

import re
import sys

import numpy as np
import pytest

from workloads import optimizers

PLAIN = """
import numpy as np

class Lion:
    def init(w):
        return np.zeros_like(w)

    def update(w, g, m, lr, t):
        return w - lr * np.sign(0.9 * m + 0.1 * g), 0.99 * m + 0.01 * g
"""
METHODS = """
class SGD:
    scale = 1.0
    def init(self, w):
        return None
    def update(self, w, g, state, lr, t):
        return w - self.scale * lr * g, state
"""
DATACLASS = """
from __future__ import annotations
from dataclasses import dataclass

@dataclass(frozen=True)
class SGD:
    scale: float = 1.0
    default_lr = 0.25
    def init(self, w):
        return None
    def update(self, w, g, state, lr, t):
        return w - self.scale * lr * g, state
"""
STATIC = """
class SGD:
    @staticmethod
    def init(w): return None
    @staticmethod
    def update(w, g, state, lr, t): return w - lr * g, state
"""
IN_PLACE = """
class SGD:
    def init(w):
        return None
    def update(w, g, state, lr, t):
        w -= lr * g
        return w, state
"""


def write(folder, source):
    path = folder / "mine.py"
    path.write_text(source)
    return path


@pytest.mark.parametrize(
    "source, name",
    [
        (METHODS, "SGD"),
        (DATACLASS, "SGD"),
        (STATIC, "SGD"),
        (IN_PLACE, "SGD"),
        (METHODS + "slow = SGD()", "slow"),
        (METHODS + "def make(scale=1.0): return SGD()", "make"),
        (
            METHODS
            + "import types; ns = types.SimpleNamespace(init=SGD().init, update=SGD().update)",
            "ns",
        ),
    ],
)
def test_anything_with_init_and_update_is_an_optimizer(tmp_path, source, name):
    optimizer = optimizers.load(f"{write(tmp_path, source)}:{name}")
    w = np.ones((2, 2), np.float32)
    moved, _ = optimizer.update(w, w.copy(), optimizer.init(w), 0.5, 1)
    np.testing.assert_array_equal(moved, np.full((2, 2), 0.5))


def test_ten_lines_are_an_optimizer(tmp_path):
    lion = optimizers.load(f"{write(tmp_path, PLAIN)}:Lion")
    w = np.ones(3, np.float32)
    moved, m = lion.update(w, np.float32([-2, 0, 2]), lion.init(w), 0.5, 1)
    np.testing.assert_array_equal(moved, np.float32([1.5, 1.0, 0.5]))
    np.testing.assert_allclose(m, [-0.02, 0, 0.02])


def test_a_file_may_give_its_learning_rate(tmp_path):
    path = write(tmp_path, DATACLASS)
    assert optimizers.default_lr(optimizers.load(f"{path}:SGD")) == 0.25


def test_an_edited_file_is_read_again_and_nothing_is_left_beside_it(tmp_path):
    for name in ("One", "Two"):
        path = write(tmp_path, STATIC.replace("SGD", name))
        optimizers.load(f"{path}:{name}")
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.py"]


INIT = "def init(w): return None\n"
UPDATE = "def update(w, g, s, lr, t): return w, s\n"


def module_class(body):
    return "class X:\n" + "".join(f"    {line}\n" for line in body.splitlines())


@pytest.mark.parametrize(
    "source, spec, message",
    [
        (None, "mine.py:X", "cannot read optimizer file .*mine.py: No such file"),
        (PLAIN, "mine.py", "write FILE.py:NAME"),
        (PLAIN, "mine.py:", "write FILE.py:NAME"),
        (PLAIN, "mine.py:Missing", "has no 'Missing'; it has np, Lion"),
        ("", "mine.py:X", "has no 'X'; it has no public names"),
        ("def f(:\n", "mine.py:X", "mine.py:1: syntax error"),
        ("\nimport nothing_of_this_name\n", "mine.py:X", "cannot be loaded at line 2: ModuleNot"),
        ("raise SystemExit(0)", "mine.py:X", "cannot be loaded at line 1: SystemExit"),
        ("raise ValueError('two\\nlines')", "mine.py:X", "ValueError: two lines"),
        ("X = 3", "mine.py:X", "X lacks init and update: an optimizer has init"),
        (module_class(INIT), "mine.py:X", "X lacks update"),
        (module_class(UPDATE), "mine.py:X", "X lacks init"),
        (module_class(INIT + "update = 3"), "mine.py:X", "X lacks update"),
        (
            module_class(INIT + "def update(w, g, lr): return w"),
            "mine.py:X",
            "has an update that does not take .w, g, state, lr, t.",
        ),
        (
            module_class("def init(): return None\n" + UPDATE),
            "mine.py:X",
            "has an init that does not take .w.",
        ),
        (
            METHODS.replace("scale = 1.0", "def __init__(self, scale): pass"),
            "mine.py:SGD",
            "cannot be made without arguments",
        ),
        (
            METHODS.replace("scale = 1.0", "def __init__(self): 1 / 0"),
            "mine.py:SGD",
            "cannot be made at line 3: ZeroDivisionError",
        ),
        (
            METHODS.replace("state, lr, t)", "lr, t)"),
            "mine.py:SGD",
            "has an update that does not take .w, g, state, lr, t.",
        ),
        ("class X: pass", "mine.py:X", "X lacks init and update"),
        ("def X(): return 3", "mine.py:X", "X lacks init and update"),
        (
            module_class(INIT + "def update(w, g, s, lr, t): return w - lr * q, s"),
            "mine.py:X",
            "failed on a 2x3 array at line 3: NameError",
        ),
        (
            module_class(INIT + "def update(w, g, s, lr, t): return w"),
            "mine.py:X",
            "must return .w, state.",
        ),
        (
            module_class(INIT + "def update(w, g, s, lr, t): return w[0], s"),
            "mine.py:X",
            "with its shape kept",
        ),
    ],
)
def test_what_is_wrong_is_one_clear_line(tmp_path, source, spec, message):
    if source is not None:
        write(tmp_path, source)
    with pytest.raises(ValueError, match=message) as error:
        optimizers.load(f"{tmp_path}/{spec}")
    assert "\n" not in str(error.value)


def test_a_failed_file_leaves_no_module(tmp_path):
    path = write(tmp_path, "raise KeyError('x')")
    path = path.rename(tmp_path / "failing_one.py")
    with pytest.raises(ValueError, match="KeyError"):
        optimizers.load(f"{path}:X")
    assert "user_optimizer_failing_one" not in sys.modules


def test_an_unknown_name_lists_every_choice():
    expected = f"choose {', '.join(optimizers.BY_NAME)}, or FILE.py:NAME"
    with pytest.raises(ValueError, match=re.escape(expected)):
        optimizers.load("adamax")
