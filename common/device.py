"""Where tensors live and in which precision: decided here, once."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

from common.errors import ProvenderError

Accelerator = Literal["cuda", "mps", "cpu"]
Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class Device:
    """An accelerator with the precision that pays on it."""

    accelerator: Accelerator
    precision: Precision

    def autocast(self) -> AbstractContextManager:
        """The context in which a forward pass runs in this precision."""
        import torch

        if self.precision == "fp32":
            return nullcontext()
        kind = torch.bfloat16 if self.precision == "bf16" else torch.float16
        return torch.autocast(self.accelerator, kind)


def pick(accelerator: str = "auto", precision: str = "auto") -> Device:
    """cuda before mps before cpu; bf16 where the hardware multiplies it, fp32 elsewhere.

    A CPU counts when it reports bf16 instructions (AMX or AVX-512): emulation is slower than fp32.
    """
    import torch

    if accelerator == "auto":
        if torch.cuda.is_available():
            accelerator = "cuda"
        else:
            accelerator = "mps" if torch.backends.mps.is_available() else "cpu"
    if precision == "auto":
        if accelerator == "cuda":
            fast = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            fast = accelerator == "cpu" and _cpu_multiplies_bf16()
        precision = "bf16" if fast else "fp32"
    if precision == "fp16" and accelerator == "cpu":
        raise ProvenderError(
            "A CPU does not train in fp16.", where="precision", remedy="Choose auto, bf16 or fp32."
        )
    return Device(accelerator, precision)  # type: ignore[arg-type]


def _cpu_multiplies_bf16() -> bool:
    import torch

    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # absent before torch 2.12
    return any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16"))
