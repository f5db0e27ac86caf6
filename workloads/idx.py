"""Reads idx files, the format of MNIST.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database", section "file formats":
two zero bytes, a type code, the number of dimensions, each size as a big-endian 32-bit number,
then the data, big-endian, in C order.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read(path: Path) -> NDArray[Any]:
    """The array in an idx file, plain or compressed (.gz).

    Raises: ValueError of one line for a file that cannot be read or is not a whole idx file.
    """
    content = _content(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _DTYPES:
        raise ValueError(f"{path} is no idx file: bad magic number 0x{content[:4].hex()}")
    dtype, dimensions = np.dtype(_DTYPES[content[2]]), content[3]
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise ValueError(f"{path} is truncated: it ends inside its header")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    wanted = math.prod(shape) * dtype.itemsize
    if len(content) - start != wanted:
        kind = "truncated" if len(content) - start < wanted else "too long"
        raise ValueError(f"{path} is {kind}: {len(content) - start} bytes of data, not {wanted}")
    data = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return data.astype(dtype.newbyteorder("="))


def _content(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is not a whole gzip file: {error}") from None
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
