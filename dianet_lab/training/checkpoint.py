"""The file from which a run goes on that was stopped or killed."""

import hashlib
import io
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from dianet_lab.config import RunConfig, differences
from dianet_lab.errors import ConfigError, LabError
from dianet_lab.paths import write_atomically

FORMAT = 2
MAGIC = b"DIANet Lab checkpoint"
LARGEST_SHARE = 0.02
"""Of the time that goes into checkpoints: on a slow disk they become rarer than ``every``."""


LONGEST = 20
"""Times ``every``: how rare a single slow write, as on a disk that was away, may make them."""


class BadCheckpoint(LabError):
    """A checkpoint that can't be gone on from: cut, changed, of another run or another version of the lab."""


def read_checkpoint(path: Path) -> tuple[RunConfig, dict[str, Any]] | None:
    """The configuration and the content of a checkpoint, its tensors on the CPU; None where there is none.

    Raises:
        BadCheckpoint: damaged, or of another version.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    head, _, body = content.partition(b"\n")
    words = head.removeprefix(MAGIC).split()
    if not head.startswith(MAGIC) or len(words) != 2:
        raise BadCheckpoint(f"{path} is no checkpoint of this lab, or its beginning is damaged")
    if words[0] != str(FORMAT).encode():
        found = words[0].decode(errors="replace")
        raise BadCheckpoint(f"{path} has format {found}, but this version of the lab reads {FORMAT}")
    if hashlib.sha256(body).hexdigest().encode() != words[1]:
        raise BadCheckpoint(f"{path} is cut or damaged: its content has not the SHA-256 of its first line")
    saved = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    return RunConfig.from_text(saved["config"]), saved


class Checkpoint:
    """A checkpoint file: one line with format and SHA-256, then weights, optimizer, generators, history and position.

    Args:
        path: of the file.
        config: the run that it belongs to.
        every: seconds from one checkpoint to the next at the end of an epoch; twice as many within an epoch. 0 writes
            one after every step.
        guard: called before a checkpoint is written; raises if it no longer may be.
        about: where and with what this part of the run is made.
    """

    def __init__(
        self,
        path: Path,
        config: RunConfig,
        every: float,
        guard: Callable[[], None] = lambda: None,
        about: Mapping[str, Any] | None = None,
    ):
        self.path, self.config, self.every, self.guard, self.about = path, config, every, guard, dict(about or {})
        self.earlier: list[dict[str, Any]] = []
        self.position = ""
        self.seconds = 0.0
        self._last, self._cost = time.monotonic(), 0.0

    def load(self) -> dict[str, Any] | None:
        """The saved state, on the CPU; None where there is none. Sets ``earlier``, the parts that the run had so far.

        Raises:
            BadCheckpoint: damaged, or of another version.
            ConfigError: made under another configuration; names the fields that differ.
        """
        found = read_checkpoint(self.path)
        if found is None:
            return None
        config, saved = found
        if config.run_id != self.config.run_id:
            raise ConfigError(
                f"{self.path} was made under another configuration and can't be continued under this one, which is "
                f"another run. They differ in {differences(config, self.config)}"
            )
        self.earlier = saved["parts"]
        return saved["state"]

    def due(self, within_epoch: bool) -> bool:
        """Whether the last one (or the start) is long enough ago."""
        if not self.every:
            return True
        wanted = max(self.every, min(self._cost / LARGEST_SHARE, LONGEST * self.every))
        return time.monotonic() - self._last >= wanted * (2 if within_epoch else 1)

    def write(self, state: Callable[[], dict[str, Any]]) -> None:
        """Write the state that ``state()`` gives.

        Raises:
            OSError: no room, or no permission; the checkpoint before is untouched.
        """
        self.guard()
        started, body = time.monotonic(), io.BytesIO()
        values = state()
        position = f"after epoch {values['epoch']}" + (f", step {values['step']} of the next" if values["step"] else "")
        parts = [*self.earlier, self.about | {"until": position}]
        torch.save({"config": self.config.to_json(), "parts": parts, "state": values}, body)
        content = body.getvalue()
        digest = hashlib.sha256(content).hexdigest()
        try:
            write_atomically(self.path, b"%s %d %s\n%s" % (MAGIC, FORMAT, digest.encode(), content))
            self.position = position
        finally:
            self._last = time.monotonic()
            self._cost = self._last - started
            self.seconds += self._cost
