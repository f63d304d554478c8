"""Values as JSON and back, between a grader and the process that runs a learner's code.

Not pickle: decoding a pickle runs code, and what a learner's process sends may be anything.
"""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

import numpy as np

from synthecon.labs.judge import Opaque, Reply, clean


def encode(value: Any) -> Any:
    """What `json.dumps` can carry; a value of another kind goes as its type and its looks."""
    try:
        return _encode(value)
    except Exception:  # a list that holds itself, a __repr__ that raises
        return {"opaque": [type(value).__name__, ""]}


def _encode(value: Any) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if value is ...:
        return {"dots": 0}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, list | tuple):
        return {"tuple" if isinstance(value, tuple) else "list": [_encode(x) for x in value]}
    if isinstance(value, dict):
        return {"dict": [[_encode(k), _encode(v)] for k, v in value.items()]}
    if type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach"):
        plain = value.detach().cpu()
        plain = plain.float() if str(plain.dtype) == "torch.bfloat16" else plain
        return {"tensor": [_array(plain.numpy()), bool(value.requires_grad)]}
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufc":
        return {"array": _array(np.asarray(value))}
    kind = "function" if callable(value) else type(value).__name__
    return {"opaque": [kind, clean(repr(value))]}


def _array(array: np.ndarray) -> list[Any]:
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return [array.dtype.str, list(array.shape), data]


def decode(coded: Any) -> Any:
    """The value that was encoded.

    Raises:
        ValueError: this is nothing that `encode` makes.
    """
    try:
        return _decode(coded)
    except Exception as error:  # of whatever kind: the content is not ours
        raise ValueError(f"not an encoded value: {type(error).__name__}") from None


def _decode(coded: Any) -> Any:
    if coded is None or isinstance(coded, bool | int | float | str):
        return coded
    ((kind, content),) = coded.items()
    match kind:
        case "dots":
            return ...
        case "decimal":
            return Decimal(content)
        case "list":
            return [_decode(x) for x in content]
        case "tuple":
            return tuple(_decode(x) for x in content)
        case "dict":
            return {_decode(k): _decode(v) for k, v in content}
        case "array":
            return _numbers(*content)
        case "tensor":
            import torch

            return torch.from_numpy(_numbers(*content[0])).requires_grad_(bool(content[1]))
        case "opaque":
            return Opaque(clean(str(content[0])), clean(str(content[1])))
    raise ValueError(f"unknown kind {clean(str(kind))}")


def _numbers(kind: str, shape: list[int], data: str) -> np.ndarray:
    dtype = np.dtype(kind)
    if dtype.kind not in "biufc":
        raise ValueError(f"an array of {dtype}")
    return np.frombuffer(base64.b64decode(data), dtype).reshape(shape).copy()


def encode_reply(reply: Reply) -> dict[str, Any]:
    gradient = encode(reply.gradient)
    return {"value": encode(reply.value), "error": reply.error, "gradient": gradient}


def decode_reply(coded: Any) -> Reply:
    """Raises ValueError as `decode` does."""
    try:
        value, error, gradient = coded["value"], coded["error"], coded["gradient"]
    except (KeyError, TypeError):
        raise ValueError("not an encoded reply") from None
    return Reply(decode(value), clean(str(error), 250), decode(gradient))
