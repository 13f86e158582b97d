"""Residual networks for small images, on one skeleton that owns the order branch -> gate -> shortcut."""
