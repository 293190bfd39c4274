from __future__ import annotations

import pytest
import torch

from common.device import Device, pick


def _machine(
    monkeypatch: pytest.MonkeyPatch, *, cuda: bool = False, mps: bool = False, bf16: bool = False
) -> None:
    """Pretend to be a machine of that kind: no test machine is all of them."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: bf16)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"amx_bf16": bf16, "avx2": True}, raising=False
    )


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_cuda_comes_before_mps_before_cpu(
    cuda: bool, mps: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _machine(monkeypatch, cuda=cuda, mps=mps)
    assert pick().accelerator == expected


@pytest.mark.parametrize("accelerator", ["cuda", "cpu"])
def test_bf16_is_picked_where_the_hardware_multiplies_it(
    accelerator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _machine(monkeypatch, bf16=True)
    assert pick(accelerator).precision == "bf16"


@pytest.mark.parametrize("accelerator", ["cuda", "cpu"])
def test_fp32_is_picked_where_bf16_would_be_emulated(
    accelerator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _machine(monkeypatch, bf16=False)
    assert pick(accelerator).precision == "fp32"


def test_mps_runs_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    _machine(monkeypatch, mps=True, bf16=True)
    assert pick() == Device("mps", "fp32")


def test_avx512_counts_as_bf16_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert pick("cpu") == Device("cpu", "bf16")


def test_a_torch_that_reports_no_capabilities_runs_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert pick("cpu") == Device("cpu", "fp32")


def test_what_is_asked_for_is_what_one_gets() -> None:
    assert pick("cpu", "bf16") == Device("cpu", "bf16")
    assert pick("cpu", "fp32") == Device("cpu", "fp32")


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_autocast_multiplies_in_the_chosen_precision(precision: str, dtype: torch.dtype) -> None:
    with pick("cpu", precision).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
