"""What it costs to serve a network: its size, its work, its time and its energy.  No money here.

Cost is a property of a model *and* of the way it is served, so every contender of a comparison is
timed in the same race: round after round, in shuffled order, so that a machine that warms up or is
borrowed by somebody else slows all of them alike.  Compare by `ratio`, which pairs the rounds.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
import math
import random
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from synthecon import stats
from synthecon.energy import Meter

# How long one contender runs alone under an energy counter: NVML's ticks every 20 to 100 ms, RAPL's
# every millisecond.
COUNTED_SECONDS = {"cuda": 1.0, "cpu": 0.2}


@dataclass(frozen=True)
class Anatomy:
    """What can be counted without a clock.

    parameters: trainable numbers.  flops: floating-point operations of one image, 2 for each
    multiply-accumulate of matrix products and convolutions; biases, activations and pooling are
    not counted.  weight_bytes: parameters and buffers.  activation_bytes: an estimate for one
    image, the most tensor bytes alive at once in eager mode, the input included, the weights and
    the operators' own scratch space left out.
    """

    parameters: int
    flops: int
    weight_bytes: int
    activation_bytes: int


class _Peak(TorchDispatchMode):
    """Follows every tensor storage that operators return, and the bytes alive after each one."""

    def __init__(self, weights: set[int], inputs: Tensor) -> None:
        super().__init__()
        self.weights = weights
        self.alive: dict[StorageWeakRef, int] = {}
        self.peak = 0
        self.note(inputs)

    def note(self, outputs: object) -> None:
        for leaf in tree_leaves(outputs):
            if isinstance(leaf, Tensor) and leaf.untyped_storage().data_ptr() not in self.weights:
                storage = leaf.untyped_storage()
                self.alive[StorageWeakRef(storage)] = storage.nbytes()
        self.alive = {ref: size for ref, size in self.alive.items() if not ref.expired()}
        self.peak = max(self.peak, sum(self.alive.values()))

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        outputs = func(*args, **(kwargs or {}))
        self.note(outputs)
        return outputs


def anatomy(model: nn.Module, image: Tensor) -> Anatomy:
    """Sizes and work of a network.

    Args:
        model: maps [B, C, H, W] to [B, classes].
        image: one image as a batch, [1, C, H, W], on the model's device.

    Raises:
        ValueError: more or less than one image.
    """
    if image.shape[0] != 1:
        raise ValueError(f"give one image as a batch [1, C, H, W], got {tuple(image.shape)}")
    tensors = [*model.parameters(), *model.buffers()]
    weights = {t.untyped_storage().data_ptr() for t in tensors}
    image = image.clone()  # a slice would bring the storage of its whole batch along
    with _evaluating(model), torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            model(image)
        with _Peak(weights, image) as peak:
            model(image)
    return Anatomy(
        parameters=sum(p.numel() for p in model.parameters()),
        flops=counter.get_total_flops(),
        weight_bytes=sum(t.numel() * t.element_size() for t in tensors),
        activation_bytes=peak.peak,
    )


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode (batch norm, dropout), and the former mode back afterwards."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch on `count` CPU threads: a core-second means nothing when the cores are not counted."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def eager(model: nn.Module, images: Tensor) -> Callable[[], None]:
    """One request, answered by PyTorch: returns only when the logits are there (CUDA too)."""

    def call() -> None:
        with torch.inference_mode():
            model(images)
        if images.is_cuda:
            torch.cuda.synchronize(images.device)

    return call


@dataclass(frozen=True)
class Exported:
    """A network in ONNX Runtime, on the CPU.

    run: float32 [B, C, H, W] -> logits [B, classes], any B.  size: bytes of the ONNX file.
    difference: the largest absolute difference to the eager logits that the check has seen.
    """

    run: Callable[[np.ndarray], np.ndarray]
    size: int
    difference: float

    def serve(self, images: Tensor) -> Callable[[], None]:
        """One request of these images, [B, C, H, W]."""
        array = np.ascontiguousarray(images.detach().cpu().numpy())
        return lambda: _drop(self.run(array))


def _drop(_: object) -> None:
    """A contender returns nothing, so that nothing it made outlives its call."""


class ParityError(ValueError):
    """The exported network does not compute what the eager one computes."""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's two known remarks, which mean nothing here: text on stderr fails a notebook.

    It logs that torchvision is absent (true, and not needed), and PyTorch itself calls a pytree
    check that it has deprecated.  Everything else is still heard.
    """
    registration = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = registration.level
    registration.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*LeafSpec.*is deprecated", FutureWarning)
            yield
    finally:
        registration.setLevel(level)


def export(
    model: nn.Module, images: Tensor, *, tolerance: float = 1e-4, cpu_threads: int = 1
) -> Exported:
    """The network in ONNX Runtime with a free batch size, checked against eager.

    Args:
        model: maps [B, C, H, W] to [B, classes]; not changed.
        images: float32 [B, C, H, W], B at least 2; the check runs on all of them, and on the
            first one alone.
        tolerance: how far logits may lie apart, absolute plus relative.
        cpu_threads: of the session.

    Raises:
        ParityError: the logits differ by more than the tolerance.
        ValueError: fewer than two images.
    """
    import onnxruntime as ort  # late: only serving needs it

    if images.dim() != 4 or images.shape[0] < 2:
        raise ValueError(f"give at least two images [B, C, H, W], got {tuple(images.shape)}")
    images = images.detach().cpu().float()
    twin = copy.deepcopy(model).cpu().float().eval()
    batch = {0: torch.export.Dim.DYNAMIC}
    with _quiet():
        program = torch.onnx.export(
            twin, (images[:2],), dynamo=True, dynamic_shapes=(batch,), verbose=False
        )
    proto = program.model_proto.SerializeToString()  # type: ignore[union-attr]
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = cpu_threads, 1
    options.log_severity_level = 3  # errors only: warnings go to stderr
    session = ort.InferenceSession(proto, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(array: np.ndarray) -> np.ndarray:
        return session.run(None, {name: array})[0]

    return Exported(run, len(proto), _parity(twin, run, images, tolerance))


def _parity(
    model: nn.Module, run: Callable[[np.ndarray], np.ndarray], images: Tensor, tolerance: float
) -> float:
    """The largest difference of logits over two batch sizes; raises where it is too large."""
    worst = 0.0
    for some in (images, images[:1]):
        with torch.inference_mode():
            eager_logits = model(some).numpy()
        logits = run(some.numpy())
        if logits.shape != eager_logits.shape:
            raise ParityError(f"export returns {logits.shape}, eager {eager_logits.shape}")
        worst = max(worst, float(np.abs(logits - eager_logits).max()))
        if not np.allclose(logits, eager_logits, rtol=tolerance, atol=tolerance):
            raise ParityError(
                f"export and eager differ by up to {worst:.3g} in logits (allowed {tolerance:g}): "
                "look for code that depends on the batch size or on training mode"
            )
    return worst


def race(
    contenders: Mapping[str, Callable[[], None]], *, rounds: int = 7, min_seconds: float = 0.03,
    seed: int = 0, clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:  # fmt: skip
    """Seconds a call of each contender in each round; entry r of all lists is the same round.

    Every contender is warmed up until a run of calls takes `min_seconds`.  In each round all run
    once, in an order drawn anew, for as many calls as last `min_seconds` at the speed of the
    contender's previous round.

    Args:
        contenders: what to call; a call must return only when its work is done.
        rounds: at least 1.  min_seconds: of one contender in one round, above 0.
        clock: seconds since some zero; a test puts its own in.

    Raises:
        ValueError: no contenders, or rounds or seconds out of range.
    """
    if not contenders or rounds < 1 or not min_seconds > 0:
        raise ValueError(
            "a race needs contenders, at least one round and min_seconds above 0, "
            f"got {len(contenders)} contenders, rounds={rounds}, min_seconds={min_seconds}"
        )

    def seconds(call: Callable[[], None], calls: int) -> float:
        start = clock()
        for _ in range(calls):
            call()
        return clock() - start

    speed: dict[str, float] = {}
    for name, call in contenders.items():
        calls = 1
        while (taken := seconds(call, calls)) < min_seconds:
            calls *= 2
        speed[name] = taken / calls
    order, shuffler = list(contenders), random.Random(seed)
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        shuffler.shuffle(order)
        for name in order:
            calls = max(1, math.ceil(min_seconds / speed[name]))
            speed[name] = seconds(contenders[name], calls) / calls
            times[name].append(speed[name])
    return times


def ratio(
    times_a: Sequence[float], times_b: Sequence[float], *, level: float = 0.95
) -> stats.Interval:
    """How many times longer A takes than B: geometric mean over the rounds of one race.

    The interval is a t interval of the log ratios.  It covers the noise of this race on this
    machine; another machine has another ratio.

    Raises:
        ValueError: lists of different length, fewer than two rounds, or a time that is not
            positive.
    """
    if len(times_a) != len(times_b):
        raise ValueError(f"rounds are paired, but there are {len(times_a)} and {len(times_b)}")
    if not all(t > 0 for t in (*times_a, *times_b)):
        raise ValueError("a time is not positive: raise min_seconds")
    return stats.geometric([a / b for a, b in zip(times_a, times_b, strict=True)], level=level)


@dataclass(frozen=True)
class ServingCost:
    """One model, served in one way.

    engine: "eager" or "onnxruntime".  device: where it ran; ONNX Runtime always runs on the CPU.
    seconds_per_image: median over rounds, `quartiles` beside it.  core_seconds_per_million: that
    median × CPU threads × a million images; on CUDA these are GPU seconds, and price them so.
    joules_per_million: with `energy_level` and `energy_how` of `synthecon.energy`.
    """

    model: str
    engine: str
    device: str
    batch: int
    seconds_per_image: float
    quartiles: tuple[float, float]
    core_seconds_per_million: float
    joules_per_million: float
    energy_level: str
    energy_how: str


@dataclass(frozen=True)
class Serving:
    """Everything of one race, by "model/engine/batch".

    seconds: per image, one entry a round (hand two of them to `ratio`).  parity: by model, the
    largest difference between exported and eager logits.
    """

    costs: dict[str, ServingCost]
    seconds: dict[str, list[float]]
    parity: dict[str, float]


def serve(
    models: Mapping[str, nn.Module], images: Tensor, *, batches: Sequence[int] = (1, 256),
    engines: Sequence[str] = ("eager", "onnxruntime"),
    rounds: int = 7, min_seconds: float = 0.03, seed: int = 0, cpu_threads: int = 1,
    core_watts: float = 10.0,
) -> Serving:  # fmt: skip
    """Times and energy of all models, eager and exported, at all batch sizes, in one race.

    Args:
        models: by name, in evaluation mode, on the device of the images; [B, C, H, W] -> logits.
        images: float32 [B, C, H, W], at least two and at least the largest batch.
        engines: ways of serving, `eager` and `onnxruntime`.
        batches: images a request.  Batch 1 gives the latency, a large one the throughput.
        cpu_threads: of torch and of ONNX Runtime.
        core_watts: assumed of one busy core where no energy counter is readable.

    Raises:
        ValueError: too few images, an unknown engine, or a model in training mode.
        ParityError: an export that computes something else.
    """
    unknown = set(engines) - {"eager", "onnxruntime"}
    if unknown or not engines:
        raise ValueError(f"engines must be eager or onnxruntime, got {list(engines)}")
    if len(images) < max(2, *batches):
        raise ValueError(f"{len(images)} images do not fill batches of {max(batches)}")
    for name, model in models.items():
        if model.training:
            raise ValueError(f"{name} is in training mode: call .eval() before serving it")
    contenders: dict[str, Callable[[], None]] = {}
    kinds: dict[str, tuple[str, str, str, int]] = {}
    parity: dict[str, float] = {}
    with threads(cpu_threads):
        for name, model in models.items():
            calls: dict[str, tuple[str, Callable[[Tensor], Callable[[], None]]]] = {}
            if "eager" in engines:
                calls["eager"] = (str(images.device), functools.partial(eager, model))
            if "onnxruntime" in engines:
                exported = export(model, images[: max(2, *batches)], cpu_threads=cpu_threads)
                parity[name] = exported.difference
                calls["onnxruntime"] = ("cpu", exported.serve)
            for batch in batches:
                some = images[:batch].contiguous()
                for engine, (device, call) in calls.items():
                    key = f"{name}/{engine}/{batch}"
                    contenders[key], kinds[key] = call(some), (name, engine, device, batch)
        times = race(contenders, rounds=rounds, min_seconds=min_seconds, seed=seed)
        costs = {}
        for key, (name, engine, device, batch) in kinds.items():
            a_call = statistics.median(times[key])
            low, _, high = np.quantile(times[key], (0.25, 0.5, 0.75)) / batch
            cores = cpu_threads if device == "cpu" else 1
            joules, level, how = _joules(
                contenders[key], a_call, cores, Meter(device, core_watts),
                COUNTED_SECONDS[device.partition(":")[0]],
            )  # fmt: skip
            costs[key] = ServingCost(
                name, engine, device, batch, a_call / batch, (float(low), float(high)),
                a_call / batch * cores * 1e6, joules / batch * 1e6, level, how,
            )  # fmt: skip
    seconds = {key: [t / kinds[key][3] for t in row] for key, row in times.items()}
    return Serving(costs, seconds, parity)


def _joules(
    call: Callable[[], None], seconds: float, cores: int, meter: Meter, at_least: float
) -> tuple[float, str, str]:
    """Joules of one call, their level and how they were had.

    A counter shows nothing of one call, so many run under one reading.  Without a counter there is
    nothing to run: the race has the seconds.
    """
    with meter:
        call()
    if meter.level == "assumed":
        how = meter.how.replace("CPU seconds of this process", "core-seconds of the race")
        return seconds * cores * meter.core_watts, meter.level, how
    calls = max(1, math.ceil(at_least / seconds))
    with meter:
        for _ in range(calls):
            call()
    return meter.joules / calls, meter.level, meter.how
