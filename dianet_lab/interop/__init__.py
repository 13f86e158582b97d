"""Weights from other code: the official repository's checkpoints and pytorchcv's networks."""

from dianet_lab.interop.loading import load_official, load_pytorchcv

__all__ = ["load_official", "load_pytorchcv"]
