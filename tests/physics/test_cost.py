import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import stats as sps
from torch import nn

from synthecon.physics import cost

MLP = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)).eval()


def conv() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip


def test_anatomy_of_an_mlp_by_hand():
    found = cost.anatomy(MLP, torch.rand(1, 1, 8, 8))
    assert found.parameters == 64 * 16 + 16 + 16 * 10 + 10
    assert found.weight_bytes == 4 * found.parameters
    assert found.flops == 2 * (64 * 16 + 16 * 10)
    # Two layers' outputs live at once: 64 inputs, 16 before and 16 after the ReLU.
    assert found.activation_bytes == 4 * (64 + 16 + 16)


def test_anatomy_of_convolutions_by_hand():
    model = conv().train()
    found = cost.anatomy(model, torch.rand(1, 3, 10, 10))
    assert found.parameters == 8 * 3 * 9 + 8 + 8 + 8 + 4 * 8 + 4
    assert found.flops == 2 * (5 * 5 * 8 * 3 * 9 + 5 * 5 * 4 * 8)
    assert found.weight_bytes == 4 * (found.parameters + 8 + 8) + 8  # means, variances, a counter
    assert model.training, "the model's mode is given back"


def test_anatomy_counts_one_image_of_a_batch():
    one, batch = torch.rand(1, 1, 8, 8), torch.rand(50, 1, 8, 8)
    assert cost.anatomy(MLP, batch[:1]) == cost.anatomy(MLP, one)
    with pytest.raises(ValueError, match="one image"):
        cost.anatomy(MLP, batch)


class Track:
    """A clock that only the runners move, and the order in which they ran."""

    def __init__(self) -> None:
        self.now, self.calls = 0.0, []

    def runner(self, name: str, *seconds: float):
        def call() -> None:
            ran = self.calls.count(name)
            self.calls.append(name)
            self.now += seconds[min(ran, len(seconds) - 1)]

        return call

    def clock(self) -> float:
        return self.now


def blocks(calls: list[str]) -> list[str]:
    return [name for i, name in enumerate(calls) if i == 0 or calls[i - 1] != name]


def race(track: Track, contenders, **settings):
    return cost.race(contenders, clock=track.clock, **settings)


def test_race_returns_seconds_a_call_of_every_round():
    track = Track()
    contenders = {"slow": track.runner("slow", 0.5), "fast": track.runner("fast", 0.0625)}
    times = race(track, contenders, rounds=5, min_seconds=0.25)
    assert times == {"slow": [0.5] * 5, "fast": [0.0625] * 5}
    # Warm-up: slow 1 call; fast 1 + 2 + 4.  A round: slow 1 call, fast 4 calls.
    assert track.calls.count("slow") == 1 + 5
    assert track.calls.count("fast") == 7 + 5 * 4


def test_warm_up_is_not_timed():
    track = Track()
    times = race(track, {"a": track.runner("a", 100.0, 1.0)}, rounds=3, min_seconds=0.5)
    assert times["a"] == [1.0] * 3


def test_rounds_interleave_in_an_order_that_the_seed_decides():
    def order(seed: int) -> list[str]:
        track = Track()
        contenders = {name: track.runner(name, 1.0) for name in "abcd"}
        race(track, contenders, rounds=6, min_seconds=0.5, seed=seed)
        return track.calls[4:]  # after the warm-up

    first = order(0)
    rounds = [first[i : i + 4] for i in range(0, 24, 4)]
    assert all(sorted(r) == list("abcd") for r in rounds)
    assert len({tuple(r) for r in rounds}) > 1
    assert first == order(0) != order(1)


def test_drift_of_the_machine_cancels_in_the_ratio():
    track = Track()
    # Both slow down tenfold from round to round; b always takes twice as long as a.
    drift = [1.0, 1.0, 10.0, 100.0, 1000.0]
    contenders = {
        "a": track.runner("a", *drift), "b": track.runner("b", *[2 * d for d in drift]),
    }  # fmt: skip
    times = race(track, contenders, rounds=4, min_seconds=0.1)
    found = cost.ratio(times["b"], times["a"])
    assert (found.value, found.low, found.high) == pytest.approx((2, 2, 2))


@pytest.mark.parametrize(
    "wrong", [{"contenders": {}}, {"rounds": 0}, {"min_seconds": 0}, {"min_seconds": -1}]
)
def test_race_refuses_nonsense(wrong):
    settings = {"contenders": {"a": lambda: None}, **wrong}
    with pytest.raises(ValueError, match="a race needs"):
        cost.race(**settings)


def test_ratio_against_scipy():
    rng = np.random.default_rng(0)
    a, b = np.exp(rng.normal(1, 0.2, 9)), np.exp(rng.normal(0, 0.2, 9))
    found = cost.ratio(a.tolist(), b.tolist(), level=0.9)
    oracle = sps.ttest_rel(np.log(a), np.log(b)).confidence_interval(0.9)
    assert found.value == pytest.approx(sps.gmean(a / b))
    assert (found.low, found.high) == pytest.approx((np.exp(oracle.low), np.exp(oracle.high)))
    assert (found.level, found.n) == (0.9, 9)
    back = cost.ratio(b.tolist(), a.tolist(), level=0.9)
    assert (1 / back.value, 1 / back.high) == pytest.approx((found.value, found.low))


@pytest.mark.parametrize(("a", "b"), [([1, 2], [1]), ([1], [1]), ([1, 0], [1, 1])])
def test_ratio_refuses_what_cannot_be_paired(a, b):
    with pytest.raises(ValueError, match=r"paired|two|positive"):
        cost.ratio(a, b)


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError), cost.threads(1):
        assert torch.get_num_threads() == 1
        raise RuntimeError
    assert torch.get_num_threads() == before


def test_export_computes_the_same_for_any_batch():
    model = conv().eval()
    exported = cost.export(model, torch.rand(5, 3, 10, 10))
    assert 0 <= exported.difference < 1e-4
    images = torch.rand(7, 3, 10, 10)
    with torch.inference_mode():
        assert np.allclose(exported.run(images.numpy()), model(images).numpy(), atol=1e-4)


def test_a_wrong_export_is_caught():
    images = torch.rand(4, 1, 8, 8)
    with pytest.raises(cost.ParityError, match="differ by up to"):
        cost._parity(
            MLP, lambda array: 1.01 * MLP(torch.tensor(array)).detach().numpy(), images, 1e-4
        )
    with pytest.raises(cost.ParityError, match="returns"):
        cost._parity(MLP, lambda array: np.zeros((1, 10), np.float32), images, 1e-4)

    # Right on the batch, wrong on a single image: a network that mixes its batch.
    def mixes(array: np.ndarray) -> np.ndarray:
        return MLP(torch.tensor(array)).detach().numpy() + (len(array) == 1)

    with pytest.raises(cost.ParityError, match="batch size"):
        cost._parity(MLP, mixes, images, 1e-4)


def test_serve_covers_every_way_and_leaves_stderr_alone():
    """In a process of its own: a notebook fails on the first word on stderr."""
    code = """
import torch
from torch import nn
from synthecon.physics import cost
nets = {n: nn.Sequential(nn.Flatten(), nn.Linear(16, w), nn.Linear(w, 3)).eval()
        for n, w in (("big", 32), ("small", 2))}
found = cost.serve(nets, torch.rand(4, 1, 4, 4), batches=(1, 4), rounds=2, min_seconds=1e-4)
keys = {f"{n}/{e}/{b}" for n in nets for e in ("eager", "onnxruntime") for b in (1, 4)}
assert set(found.costs) == set(found.seconds) == keys and set(found.parity) == set(nets)
for key, one in found.costs.items():
    assert key == f"{one.model}/{one.engine}/{one.batch}"
    assert one.quartiles[0] <= one.seconds_per_image <= one.quartiles[1]
    assert one.core_seconds_per_million == one.seconds_per_image * 1e6
    assert one.joules_per_million > 0 and one.energy_how
    if one.energy_level == "assumed":
        assert abs(one.joules_per_million / one.core_seconds_per_million - 10) < 1e-9
    assert len(found.seconds[key]) == 2
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


class Counting:
    """A meter whose counter rises by 3 J for each call that ran under it."""

    core_watts, how = 10.0, "a fake counter"

    def __init__(self, level: str) -> None:
        self.level, self.calls, self.joules = level, 0, 0.0

    def call(self) -> None:
        self.calls += 1

    def __enter__(self) -> None:
        self.before = self.calls

    def __exit__(self, *_: object) -> None:
        self.joules = 3.0 * (self.calls - self.before)


def test_joules_of_a_call():
    meter = Counting("counter")
    assert cost._joules(meter.call, 0.01, 1, meter, 0.2)[:2] == (3.0, "counter")
    assert meter.calls == 1 + 20, "enough calls for the counter to tick"
    meter = Counting("assumed")
    assert cost._joules(meter.call, 0.5, 2, meter, 0.2)[:2] == (10.0, "assumed")  # 0.5 s × 2 × 10 W


def test_serve_refuses_what_it_cannot_measure():
    images = torch.rand(4, 1, 8, 8)
    with pytest.raises(ValueError, match="do not fill"):
        cost.serve({"a": MLP}, images, batches=(1, 8))
    with pytest.raises(ValueError, match="training mode"):
        cost.serve({"a": conv().train()}, images, batches=(1,))


def test_one_engine_is_raced_alone():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).eval()
    images = torch.rand(4, 1, 2, 2)
    served = cost.serve(
        {"m": model}, images, batches=(1, 4), engines=("eager",), rounds=2, min_seconds=1e-4
    )
    assert set(served.costs) == set(served.seconds) == {"m/eager/1", "m/eager/4"}
    assert served.parity == {}


@pytest.mark.parametrize("engines", [(), ("eager", "tensorrt")])
def test_unknown_engines_are_refused(engines):
    with pytest.raises(ValueError, match="eager or onnxruntime"):
        cost.serve({}, torch.rand(4, 1, 2, 2), batches=(1,), engines=engines)
