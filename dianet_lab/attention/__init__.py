"""Attention units and who owns them. Nothing here knows a backbone, a configuration or data."""
