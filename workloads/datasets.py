"""Data sets for classification, in memory: digits, MNIST-format folders, synthetic.

`load` is the entry. Images are float32 rows; UCI digits and idx images of bytes are scaled to
[0, 1]. Which samples are for testing never depends on the seed of a run.
"""

import gzip
import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workloads import idx
from workloads.arrays import Array, Labels
from workloads.options import parse
from workloads.seeding import Stream, generator

# Where Debian's package dataset-fashion-mnist puts its files.
FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")

_PARTS = ("train", "t10k")
_DIGITS_SOURCE = (
    "E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning "
    "Repository, 1998, doi 10.24432/C50P49, CC BY 4.0"
)
_FASHION_SOURCE = "H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, 2017, arXiv 1708.07747, MIT"
_CHOICES = "digits, fashion-mnist, synthetic, or a folder with MNIST-format idx files"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples and labels for training and testing.

    Shapes: x (samples, features) float32; y (samples,) integers in [0, classes).
    Raises: ValueError of one line for data that cannot be trained on.
    """

    train_x: Array
    train_y: Labels
    test_x: Array
    test_y: Labels
    classes: int
    name: str
    source: str

    def __post_init__(self) -> None:
        for part, x, y in (
            ("training", self.train_x, self.train_y),
            ("test", self.test_x, self.test_y),
        ):
            self._check(f"{self.name}: {part}", x, y)

    def _check(self, what: str, x: Array, y: Labels) -> None:
        rows = x.ndim == 2 and x.dtype == np.float32
        if not (rows and y.ndim == 1 and np.issubdtype(y.dtype, np.integer)):
            raise ValueError(f"{what} set is not rows of float32 with an integer label each")
        if len(x) != len(y):
            raise ValueError(f"{what} set has {len(x)} images but {len(y)} labels")
        if x.size == 0:
            raise ValueError(f"{what} set is empty")
        if x.shape[1] != self.train_x.shape[1]:
            raise ValueError(f"{what} set has {x.shape[1]} features, not {self.train_x.shape[1]}")
        bad = ~np.isfinite(x).all(axis=1)
        if bad.any():
            raise ValueError(f"{what} sample {int(np.argmax(bad))} holds NaN or infinity")
        wrong = y[(y < 0) | (y >= self.classes)]
        if wrong.size:
            raise ValueError(
                f"{what} label {wrong[0]} is outside [0, {self.classes}); "
                "a folder with other labels is named FOLDER:classes=N"
            )

    @property
    def features(self) -> int:
        return int(self.train_x.shape[1])


def load(name: str, seed: int = 0) -> Dataset:
    """The data set of this name, or in this folder; the seed is for `synthetic` alone.

    `synthetic:samples=,features=,classes=,noise=` and `FOLDER:classes=` take options.
    Raises: ValueError of one line for an unknown name, option, or unusable files.
    """
    head, colon, options = name.rpartition(":")
    if not (colon and "=" in options):
        head, options = name, ""
    if head == "synthetic":
        kinds = {"samples": int, "features": int, "classes": int, "noise": float}
        return _synthetic(name, parse("data set synthetic", options, kinds), seed)
    if head == "digits":
        parse("data set digits", options, {})
        return _digits()
    if head == "fashion-mnist":
        parse("data set fashion-mnist", options, {})
        return _fashion_mnist()
    if not Path(head).is_dir():
        raise ValueError(f"unknown data set '{head}': choose {_CHOICES}")
    classes = int(parse(f"data set {head}", options, {"classes": int}).get("classes", 10))
    return _folder(Path(head), head, f"folder {head}", classes)


def one_hot(labels: Labels, classes: int) -> Array:
    """Shapes: labels (B,) -> (B, classes) float32."""
    hits: NDArray[np.bool_] = labels[:, None] == np.arange(classes)
    return hits.astype(np.float32)


def _split(x: Array, y: Labels, classes: int, name: str, source: str) -> Dataset:
    """A fifth of every class for testing, drawn once and for all."""
    order = generator(0, Stream.SPLIT).permutation(len(y))
    by_class = order[np.argsort(y[order], kind="stable")]
    is_test = np.zeros(len(y), bool)
    is_test[by_class[::5]] = True
    return Dataset(x[~is_test], y[~is_test], x[is_test], y[is_test], classes, name, source)


def _digits() -> Dataset:
    """1,797 images of 8x8 pixels, 0 to 16. Source: workloads/data/ATTRIBUTION.md."""
    packed = resources.files("workloads").joinpath("data", "digits.csv.gz").read_bytes()
    rows = gzip.decompress(packed).decode("ascii").splitlines()
    table = np.loadtxt(rows, dtype=np.int64, delimiter=",")
    pixels = table[:, :-1].astype(np.float32) / 16.0
    return _split(pixels, table[:, -1], 10, "digits", _DIGITS_SOURCE)


def _synthetic(name: str, options: dict[str, float], seed: int) -> Dataset:
    """A random point of the unit cube per class, and Gaussian noise around it."""
    samples, features, classes = (
        int(options.get(key, default))
        for key, default in (("samples", 1000), ("features", 64), ("classes", 10))
    )
    noise = options.get("noise", 0.5)
    if features < 1 or classes < 2 or samples < 2 * classes or noise < 0.0:
        raise ValueError(
            f"data set {name}: needs features of 1 or more, classes of 2 or more, "
            "samples of twice the classes or more, and noise not negative"
        )
    rng = generator(seed, Stream.SYNTHETIC)
    centres = rng.random((classes, features), np.float32)
    labels = rng.permutation(np.arange(samples) % classes)
    x = centres[labels] + rng.standard_normal((samples, features), np.float32) * noise
    return _split(x, labels, classes, name, f"synthetic, seed {seed}")


def _fashion_mnist() -> Dataset:
    """60,000 and 10,000 images of 28x28 pixels."""
    if not FASHION_MNIST.is_dir():
        raise ValueError(
            f"fashion-mnist is not in {FASHION_MNIST}: install Debian's package "
            "dataset-fashion-mnist, or give the folder that holds its files"
        )
    return _folder(FASHION_MNIST, "fashion-mnist", _FASHION_SOURCE)


def _folder(folder: Path, name: str, source: str, classes: int = 10) -> Dataset:
    """Reads the four files of an MNIST-format set."""
    train_x, test_x = (_images(_find(folder, part, "images-idx3-ubyte")) for part in _PARTS)
    train_y, test_y = (_labels(_find(folder, part, "labels-idx1-ubyte")) for part in _PARTS)
    return Dataset(train_x, train_y, test_x, test_y, classes, name, source)


def _find(folder: Path, part: str, kind: str) -> Path:
    plain = folder / f"{part}-{kind}"
    for path in (plain, plain.with_name(plain.name + ".gz")):
        if path.is_file():
            return path
    raise ValueError(
        f"{folder} has no {plain.name} or {plain.name}.gz; an MNIST-format folder "
        "holds train- and t10k- images-idx3-ubyte and labels-idx1-ubyte"
    )


def _images(path: Path) -> Array:
    """Shapes: (samples, features) float32; bytes are scaled to [0, 1], floats kept."""
    images = idx.read(path)
    if images.ndim < 2 or images.dtype.kind not in "uf":
        raise ValueError(f"{path} holds no images: need bytes or floats in two dimensions or more")
    rows = images.reshape(len(images), math.prod(images.shape[1:]))
    if images.dtype.kind == "u":
        pixels: Array = rows.astype(np.float32)  # apart, as a division of mixed types is slow
        pixels /= np.float32(255.0)
        return pixels
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is refused
        return rows.astype(np.float32)


def _labels(path: Path) -> Labels:
    labels = idx.read(path)
    if labels.ndim != 1 or labels.dtype.kind not in "ui":
        raise ValueError(f"{path} holds no labels: need whole numbers in one dimension")
    return labels.astype(np.int64)
