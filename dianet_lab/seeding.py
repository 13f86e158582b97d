"""Seeds from words: the same on every machine, and independent of each other whatever else an experiment draws."""

import hashlib


def digest_of(*parts: object) -> bytes:
    """32 bytes, SHA-256 of the parts, for example ``digest_of("test part of digits")``."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).digest()


def seed_of(*parts: object) -> int:
    """A 63-bit seed from :func:`digest_of` the parts, for example ``seed_of(run_seed, "stem.conv.weight")``."""
    return int.from_bytes(digest_of(*parts)[:8], "big") >> 1
