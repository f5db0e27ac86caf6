"""What to write in place of NumPy functions that the machine does not have."""

_LABELS = "select by label with y[:, None] == np.arange(n), by condition with np.where"
_NORM = "write np.sqrt(np.sum(x * x))"
_HOST = "compute it on the host, outside the function"
OUTSIDE = "compute it outside the function and pass it as an argument"

METHOD_HINTS = {
    "accumulate": "multiply by a lower triangle of ones with @",
    "at": "write to slices, or sum with a one-hot matrix and @",
    "outer": "write a[:, None] * b[None, :]",
}

UFUNC_HINTS = {
    "copysign": "write np.abs(a) * np.sign(b)",
    "cbrt": "the machine has sqrt, exp and log",
    "exp2": "write np.exp(x * np.log(2.0))",
    "expm1": "write np.exp(x) - 1",
    "floor_divide": _HOST,
    "fmax": "use np.maximum",
    "fmin": "use np.minimum",
    "heaviside": "write (x > 0).astype(np.float32)",
    "hypot": "write np.sqrt(a * a + b * b)",
    "log10": "write np.log(x) / np.log(10.0)",
    "log1p": "write np.log(1 + x)",
    "log2": "write np.log(x) / np.log(2.0)",
    "logaddexp": "write m + np.log(np.exp(a - m) + np.exp(b - m)) with m = np.maximum(a, b)",
    "matvec": "use @",
    "remainder": _HOST,
    "vecdot": "write np.sum(a * b, axis=-1)",
    "vecmat": "use @",
} | dict.fromkeys(("floor", "ceil", "rint", "trunc"), "x.astype(np.int32) truncates towards zero")

FUNCTION_HINTS = {
    "append": "use np.concatenate",
    "apply_along_axis": "write it for whole arrays",
    "argmax": "the host takes it from the outputs; np.max is supported",
    "argmin": "the host takes it from the outputs; np.min is supported",
    "around": _HOST,
    "array_equal": "compare with == on the host",
    "average": "write np.sum(x * weights, axis=0) / total",
    "choose": _LABELS,
    "compress": _LABELS,
    "cross": "write it with slices",
    "cumsum": "multiply by a lower triangle of ones with @",
    "diag": "multiply by np.eye(n, dtype=np.float32)",
    "diagonal": "multiply by np.eye(n, dtype=np.float32) and sum",
    "flip": "the machine has no negative steps",
    "isclose": "compare np.abs(a - b) with a bound",
    "linalg.norm": _NORM,
    "linalg.vector_norm": _NORM,
    "linalg.matrix_norm": _NORM,
    "nan_to_num": "use np.where(np.isnan(x), 0.0, x)",
    "nonzero": _LABELS,
    "pad": "use np.concatenate with np.zeros(shape, np.float32)",
    "prod": "multiply slices",
    "put": _LABELS,
    "round": _HOST,
    "select": "use np.where",
    "sort": _HOST,
    "take": _LABELS,
    "take_along_axis": _LABELS,
    "trace": "multiply by np.eye(n, dtype=np.float32) and sum",
    "tril": "multiply by np.tri(n, dtype=np.float32)",
    "triu": "multiply by a constant array of zeros and ones",
}

ATTRIBUTE_HINTS = {
    "argmax": FUNCTION_HINTS["argmax"],
    "argmin": FUNCTION_HINTS["argmin"],
    "cumsum": FUNCTION_HINTS["cumsum"],
    "flat": "use reshape(-1)",
    "nonzero": _LABELS,
    "prod": FUNCTION_HINTS["prod"],
    "put": _LABELS,
    "round": _HOST,
    "sort": _HOST,
    "take": _LABELS,
    "view": "use astype",
}
