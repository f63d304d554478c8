import sys
from types import SimpleNamespace

import pytest

from synthecon.energy import Meter


def zone(folder, name: str, microjoules: int, wrap: int = 1_000_000_000):
    path = folder / name
    path.mkdir(exist_ok=True)
    (path / "energy_uj").write_text(f"{microjoules}\n")
    (path / "max_energy_range_uj").write_text(f"{wrap}\n")
    return path


def clock(*readings: float):
    return iter(readings).__next__


def test_without_a_sensor_the_figure_is_assumed(tmp_path):
    with Meter(core_watts=10, rapl=tmp_path, cpu_seconds=clock(1.0, 3.5)) as meter:
        pass
    assert meter.joules == pytest.approx(25)  # 2.5 s × 10 W
    assert meter.level == "assumed"
    assert "10 W assumed" in meter.how


def test_rapl_packages_are_summed_and_their_parts_are_not(tmp_path):
    zone(tmp_path, "intel-rapl:0", 5_000_000)
    zone(tmp_path, "intel-rapl:1", 1_000_000)
    zone(tmp_path, "intel-rapl:0:0", 0)
    meter = Meter(rapl=tmp_path).start()
    zone(tmp_path, "intel-rapl:0", 7_000_000)
    zone(tmp_path, "intel-rapl:1", 1_500_000)
    zone(tmp_path, "intel-rapl:0:0", 900_000_000)
    meter.stop()
    assert meter.joules == pytest.approx(2.5)
    assert meter.level == "counter"
    assert meter.how == "RAPL package counters (intel-rapl:0 + intel-rapl:1)"


def test_rapl_wraps(tmp_path):
    zone(tmp_path, "intel-rapl:0", 9_000_000, wrap=10_000_000)
    meter = Meter(rapl=tmp_path).start()
    zone(tmp_path, "intel-rapl:0", 2_000_000, wrap=10_000_000)
    assert meter.stop().joules == pytest.approx(3)  # 1 J up to the wrap, 2 J after it


def test_a_sensor_lost_on_the_way_never_stops_a_run(tmp_path):
    path = zone(tmp_path, "intel-rapl:0", 1)
    meter = Meter(rapl=tmp_path, cpu_seconds=clock(0, 1)).start()
    (path / "energy_uj").write_text("gone")
    meter.stop()
    assert (meter.joules, meter.level) == (10, "assumed")
    assert "stopped answering (ValueError)" in meter.how


def test_an_unreadable_counter_is_no_counter(tmp_path):
    zone(tmp_path, "intel-rapl:0", 1)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("")
    meter = Meter(rapl=tmp_path, cpu_seconds=clock(0, 2)).start().stop()
    assert (meter.joules, meter.level) == (20, "assumed")


class FakeGPU:
    """pynvml and torch, as far as the meter knows them: every reading adds 1500 mJ."""

    def __init__(self, step: int = 1500) -> None:
        self.millijoules, self.step, self.asked = 0, step, ""
        self.waited = 0

    def install(self, monkeypatch) -> "FakeGPU":
        def consumption(_):
            self.millijoules += self.step
            return self.millijoules

        def by_uuid(uuid):
            self.asked = uuid
            return "handle"

        def synchronize(_):
            self.waited += 1

        monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(
            nvmlInit=lambda: None, nvmlDeviceGetHandleByUUID=by_uuid,
            nvmlDeviceGetTotalEnergyConsumption=consumption,
        ))  # fmt: skip
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(
            is_available=lambda: True, synchronize=synchronize,
            get_device_properties=lambda index: SimpleNamespace(uuid=f"0a-{index}"),
        )))  # fmt: skip
        return self


def test_nvml_is_asked_for_the_device_that_torch_means(monkeypatch, tmp_path):
    gpu = FakeGPU().install(monkeypatch)
    with Meter("cuda:1", rapl=tmp_path) as meter:
        pass
    assert gpu.asked == "GPU-0a-1"
    assert gpu.waited == 2  # before the first reading and before the last
    assert meter.joules == pytest.approx(1.5)
    assert meter.level == "counter"
    assert meter.how == "NVML total energy counter of cuda:1, GPU only"


def test_a_counter_that_runs_backwards_is_not_believed(monkeypatch, tmp_path):
    FakeGPU(step=-1).install(monkeypatch)
    meter = Meter("cuda", rapl=tmp_path, cpu_seconds=clock(0, 1)).start().stop()
    assert meter.level == "assumed"
    assert "ran backwards" in meter.how
    assert "GPU's energy is unknown" in meter.how


def test_no_nvml_at_all(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pynvml", None)  # import fails
    meter = Meter("cuda", rapl=tmp_path, cpu_seconds=clock(0, 1)).start().stop()
    assert meter.level == "assumed"


@pytest.mark.parametrize("device", ["tpu", "cuda:x", ""])
def test_unknown_devices_are_refused(device):
    with pytest.raises(ValueError, match="device must be"):
        Meter(device)


def test_negative_watts_are_refused():
    with pytest.raises(ValueError, match="core_watts"):
        Meter(core_watts=-1)
