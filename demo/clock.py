"""JACK's frame counter: 32 bits, so it wraps after a day."""

_WRAP = 1 << 32


def frames_between(earlier: int, later: int) -> int:
    """Return how far ``later`` is after ``earlier``; negative if it is before."""
    return (later - earlier + _WRAP // 2) % _WRAP - _WRAP // 2
