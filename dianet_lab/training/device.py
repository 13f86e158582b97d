"""Where a run computes, and the settings that make it repeatable there."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

from dianet_lab.errors import ConfigError


def resolve_device(name: str = "auto") -> torch.device:
    """``auto`` (an accelerator where there is one, else the CPU), ``cpu``, ``cuda``, ``cuda:1``, ...

    Raises:
        ConfigError: a device that PyTorch does not know or that this machine does not have.
    """
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device {name!r} can't be used here ({reason}); try 'auto' or 'cpu'") from None
    return device


def accelerators() -> list[str]:
    """The names of this machine's accelerators, such as ``cuda:0``; empty on a machine without."""
    kind = torch.accelerator.current_accelerator(check_available=True)
    return [f"{kind.type}:{index}" for index in range(torch.accelerator.device_count())] if kind else []


@contextmanager
def repeatable(device: torch.device, threads: int, seed: int) -> Iterator[None]:
    """Inside: ``threads`` CPU threads, the global generator at ``seed``, deterministic cuDNN; afterwards all as before.

    The thread count is part of what makes two runs bit-identical, since it changes the order of sums.
    """
    before = torch.get_num_threads()
    cudnn = torch.backends.cudnn
    flags = cudnn.deterministic, cudnn.benchmark
    torch.set_num_threads(threads)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield
    finally:
        cudnn.deterministic, cudnn.benchmark = flags
        torch.set_num_threads(before)


def get_generators(device: torch.device) -> dict[str, torch.Tensor]:
    """The states of the global generators that a computation on ``device`` draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device).get_rng_state(device)
    return states


def set_generators(states: dict[str, torch.Tensor], device: torch.device) -> None:
    """Go on where :func:`get_generators` was; a device of another kind keeps what it has."""
    torch.set_rng_state(states["cpu"])
    if device.type in states and device.type != "cpu":
        torch.get_device_module(device).set_rng_state(states[device.type], device)


def autocast(precision: str, device: torch.device) -> Any:
    """The forward pass's precision: ``mixed`` is bfloat16 where the device has it, float16 on older GPUs."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=_half(device))


def loss_scaler(precision: str, device: torch.device) -> torch.amp.GradScaler:
    """Scales the loss where gradients are float16, and does nothing elsewhere."""
    return torch.amp.GradScaler(device.type, enabled=precision == "mixed" and _half(device) == torch.float16)


def _half(device: torch.device) -> torch.dtype:
    old = device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.float16 if old else torch.bfloat16
