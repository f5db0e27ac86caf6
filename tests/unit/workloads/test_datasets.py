"""Data sets: what they hold, and one clear line for each kind of bad file."""

import gzip
import hashlib
import struct
from importlib import resources

import numpy as np
import pytest

from workloads import datasets
from workloads.datasets import Dataset, load, one_hot

CODES = {
    "uint8": 0x08,
    "int8": 0x09,
    "int16": 0x0B,
    "int32": 0x0C,
    "float32": 0x0D,
    "float64": 0x0E,
}
TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"


def idx_bytes(array):
    header = struct.pack(
        f">BBBB{array.ndim}I", 0, 0, CODES[array.dtype.name], array.ndim, *array.shape
    )
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def images(count, dtype=np.uint8):
    return np.arange(count * 6).reshape(count, 2, 3).astype(dtype)


def labels(count, dtype=np.uint8):
    return (np.arange(count) % 10).astype(dtype)


@pytest.fixture
def folder(tmp_path):
    """A whole MNIST-format folder, half of it compressed."""
    (tmp_path / TRAIN_IMAGES).write_bytes(idx_bytes(images(20)))
    (tmp_path / TRAIN_LABELS).write_bytes(idx_bytes(labels(20)))
    (tmp_path / f"{TEST_IMAGES}.gz").write_bytes(gzip.compress(idx_bytes(images(5))))
    (tmp_path / f"{TEST_LABELS}.gz").write_bytes(gzip.compress(idx_bytes(labels(5))))
    return tmp_path


def test_digits_are_the_uci_set():
    digits = load("digits")
    assert digits.train_x.shape == (1437, 64) and digits.test_x.shape == (360, 64)
    assert digits.train_x.dtype == digits.test_x.dtype == np.float32
    assert digits.train_x.min() == 0.0 and digits.train_x.max() == 1.0
    assert digits.classes == 10 and digits.features == 64 and digits.name == "digits"
    counts = np.bincount(digits.train_y) + np.bincount(digits.test_y)
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    np.testing.assert_allclose(np.bincount(digits.test_y) / counts, 0.2, atol=0.01)


def test_no_digit_is_in_both_parts():
    digits = load("digits")
    rows = np.concatenate([digits.train_x, digits.test_x])
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_the_split_of_digits_never_depends_on_the_seed():
    np.testing.assert_array_equal(load("digits", 0).test_x, load("digits", 9).test_x)


def test_digits_come_with_their_attribution():
    data = resources.files("workloads").joinpath("data")
    text = data.joinpath("ATTRIBUTION.md").read_text()
    for needed in (
        "Alpaydin",
        "Kaynak",
        "UCI Machine Learning Repository",
        "CC BY 4.0",
        "10.24432/C50P49",
        "BSD 3-Clause",
        "The scikit-learn developers",
    ):
        assert needed in text
    assert hashlib.sha256(data.joinpath("digits.csv.gz").read_bytes()).hexdigest() in text
    assert "10.24432/C50P49" in load("digits").source


def test_a_synthetic_set_has_the_asked_shape_and_comes_from_its_seed():
    name = "synthetic:samples=200,features=7,classes=4"
    first, again, other = load(name, 1), load(name, 1), load(name, 2)
    assert first.train_x.shape == (160, 7) and first.test_x.shape == (40, 7)
    assert first.train_x.dtype == np.float32 and first.classes == 4
    assert np.bincount(first.train_y).tolist() == [40] * 4
    np.testing.assert_array_equal(first.train_x, again.train_x)
    assert (first.train_x != other.train_x).any()
    assert load("synthetic").train_x.shape == (800, 64)


def test_without_noise_a_class_is_a_point():
    quiet = load("synthetic:samples=20,features=3,classes=2,noise=0")
    assert len(np.unique(quiet.train_x, axis=0)) == 2


def test_a_folder_is_read_and_scaled(folder):
    read = load(str(folder))
    assert read.train_x.shape == (20, 6) and read.test_x.shape == (5, 6) and read.classes == 10
    assert read.train_x.dtype == np.float32 and read.train_y.dtype == np.int64
    np.testing.assert_array_equal(read.train_x, images(20).reshape(20, 6) / np.float32(255))
    np.testing.assert_array_equal(read.test_y, labels(5))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_images_of_floats_are_kept(folder, dtype):
    (folder / TRAIN_IMAGES).write_bytes(idx_bytes(images(20, dtype) / np.dtype(dtype).type(7)))
    np.testing.assert_allclose(load(str(folder)).train_x, images(20).reshape(20, 6) / 7, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32"])
def test_labels_of_any_integers_are_read(folder, dtype):
    (folder / TRAIN_LABELS).write_bytes(idx_bytes(labels(20, dtype)))
    np.testing.assert_array_equal(load(str(folder)).train_y, labels(20))


def test_a_folder_may_have_another_number_of_classes(folder):
    (folder / TRAIN_LABELS).write_bytes(idx_bytes(labels(20) + np.uint8(20)))
    assert load(f"{folder}:classes=47").classes == 47
    with pytest.raises(ValueError, match=r"outside \[0, 10\).*FOLDER:classes=N"):
        load(str(folder))


def test_fashion_mnist_is_where_debian_puts_it(folder, monkeypatch):
    assert str(datasets.FASHION_MNIST) == "/usr/share/datasets/fashion-mnist"
    monkeypatch.setattr(datasets, "FASHION_MNIST", folder)
    read = load("fashion-mnist")
    assert read.name == "fashion-mnist" and "1708.07747" in read.source
    monkeypatch.setattr(datasets, "FASHION_MNIST", folder / "absent")
    with pytest.raises(ValueError, match="install Debian's package dataset-fashion-mnist"):
        load("fashion-mnist")


def damaged(array, change):
    array = array.copy()
    array.flat[7] = change
    return idx_bytes(array)


@pytest.mark.parametrize(
    "file, content, message",
    [
        (TRAIN_IMAGES, None, f"has no {TRAIN_IMAGES} or {TRAIN_IMAGES}.gz"),
        (TEST_LABELS + ".gz", None, f"has no {TEST_LABELS} or"),
        (TRAIN_IMAGES, b"", "bad magic number 0x"),
        (TRAIN_IMAGES, b"\x01\x00\x08\x03" + bytes(99), "bad magic number 0x01000803"),
        (TRAIN_IMAGES, b"\x00\x00\x07\x03" + bytes(99), "bad magic number 0x00000703"),
        (TRAIN_IMAGES, idx_bytes(images(20))[:9], "truncated: it ends inside its header"),
        (TRAIN_IMAGES, idx_bytes(images(20))[:-1], "truncated: 119 bytes of data, not 120"),
        (TRAIN_IMAGES, idx_bytes(images(20)) + b"x", "too long: 121 bytes of data, not 120"),
        (TRAIN_IMAGES, b"\x00\x00\x08\x03" + b"\xff" * 12, "truncated: 0 bytes of data"),
        (TEST_IMAGES + ".gz", gzip.compress(idx_bytes(images(5)))[:-9], "not a whole gzip file"),
        (TEST_IMAGES + ".gz", b"plain", "not a whole gzip file"),
        (TRAIN_IMAGES, idx_bytes(images(19)), "training set has 19 images but 20 labels"),
        (TRAIN_IMAGES, idx_bytes(images(20)[:, :, :2]), "test set has 6 features, not 4"),
        (TRAIN_IMAGES, idx_bytes(labels(20)), "holds no images"),
        (TRAIN_IMAGES, idx_bytes(images(20, np.int16)), "holds no images"),
        (TRAIN_IMAGES, idx_bytes(images(0)), "training set"),
        (TRAIN_IMAGES, damaged(images(20, np.float32), np.nan), "sample 1 holds NaN or infinity"),
        (TRAIN_IMAGES, damaged(images(20, np.float32), np.inf), "sample 1 holds NaN or infinity"),
        (TRAIN_IMAGES, damaged(images(20, np.float64), 1e39), "sample 1 holds NaN or infinity"),
        (TRAIN_LABELS, damaged(labels(20), 200), r"training label 200 is outside \[0, 10\)"),
        (TRAIN_LABELS, damaged(labels(20, np.int8), -1), r"training label -1 is outside"),
        (TRAIN_LABELS, idx_bytes(labels(20, np.float32)), "holds no labels"),
        (TRAIN_LABELS, idx_bytes(images(20)), "holds no labels"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # bytes make unreadable names
)
def test_a_bad_file_is_one_clear_line(folder, file, content, message):
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        load(str(folder))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name, message",
    [
        ("cifar", "unknown data set 'cifar': choose digits, fashion-mnist, synthetic, or a folder"),
        ("/no/such/folder", "unknown data set '/no/such/folder'"),
        ("digits:samples=3", "data set digits: 'samples=3' is none of"),
        ("synthetic:colour=3", "'colour=3' is none of samples=NUMBER"),
        ("synthetic:samples=x", "samples=x is not a whole number"),
        ("synthetic:samples=3", "samples of twice the classes"),
        ("synthetic:noise=-1", "noise not negative"),
    ],
)
def test_an_unknown_name_is_one_clear_line(name, message):
    with pytest.raises(ValueError, match=message) as error:
        load(name)
    assert "\n" not in str(error.value)


def test_a_data_set_made_by_hand_is_checked_too():
    x, y = np.zeros((4, 2), np.float32), np.zeros(4, np.int64)
    Dataset(x, y, x, y, 1, "mine", "mine")
    with pytest.raises(ValueError, match="mine: test set is not rows"):
        Dataset(x, y, x, y.astype(np.float32), 1, "mine", "mine")
    with pytest.raises(ValueError, match="mine: training set is not rows of float32"):
        Dataset(x.astype(np.float64), y, x, y, 1, "mine", "mine")
    with pytest.raises(ValueError, match="mine: training set has 4 images but 3 labels"):
        Dataset(x, y[:3], x, y, 1, "mine", "mine")


def test_one_hot():
    hot = one_hot(np.array([2, 0]), 3)
    assert hot.dtype == np.float32
    assert hot.tolist() == [[0, 0, 1], [1, 0, 0]]
