"""One run: the loop, its schedule, its device and its checkpoint."""
