"""The file from which a killed run goes on."""

import io
import time
from pathlib import Path
from typing import Any

import torch

from dianet_lab.paths import write_atomically


class Checkpoint:
    """A checkpoint file that is written at most every ``every`` seconds, and read only for the same run.

    It holds weights, optimizer, history and position; no generator states are needed, because every epoch's
    generators are seeded from (seed, epoch).
    """

    def __init__(self, path: Path, run_id: str, every: float):
        self.path, self.run_id, self.every = path, run_id, every
        self._last = time.monotonic()

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """The saved state, or ``None`` where there is none, it is damaged, or it belongs to another run."""
        try:
            saved = torch.load(self.path, map_location=device, weights_only=True)
        except Exception:  # damaged bytes make the unpickler raise anything at all; the run then starts anew
            return None
        return saved["state"] if saved.get("run_id") == self.run_id else None

    def offer(self, state: dict[str, Any]) -> None:
        """Write ``state`` if the last write (or the start) is at least ``every`` seconds ago."""
        if time.monotonic() - self._last < self.every:
            return
        buffer = io.BytesIO()
        torch.save({"run_id": self.run_id, "state": state}, buffer)
        write_atomically(self.path, buffer.getvalue())
        self._last = time.monotonic()
