"""Whose fault an xrun was, as far as we can tell.

JACK says that a cycle came too late, not why. It was ours if a cycle of ours lasted
longer than a period at about that time; if none did, but we were loading a SoundFont
or taking our place in the graph, that may have kept the machine; otherwise it was
another program's, the driver's or the system's.
"""

from dataclasses import dataclass

MEMORY_LOOKS = 20
"""A miss of ours explains an xrun that is told so many looks later."""


@dataclass(slots=True)
class XrunCauses:
    """Counts xruns by their probable cause.

    Attributes
    ----------
    ours : int
        A cycle of ours lasted longer than a period.
    loading : int
        We were loading, none of our cycles was late.
    others : int
        Neither: another program, the driver, the system.
    """

    ours: int = 0
    loading: int = 0
    others: int = 0
    _xruns: int = 0
    _misses: int = 0
    _open_misses: int = 0
    _looks_since_miss: int = 0

    def see(self, xruns: int, own_misses: int, *, is_loading: bool) -> None:
        """Look at the counters again, some twenty times a second.

        Parameters
        ----------
        xruns, own_misses : int
            As the core has counted them so far.
        is_loading : bool
            Whether we load something, or have since the last look.
        """
        new, self._xruns = xruns - self._xruns, xruns
        missed, self._misses = own_misses - self._misses, own_misses
        self._looks_since_miss = 0 if missed else self._looks_since_miss + 1
        if self._looks_since_miss > MEMORY_LOOKS:
            self._open_misses = 0
        self._open_misses += missed
        ours = min(new, self._open_misses)
        self._open_misses -= ours
        self.ours += ours
        if is_loading:
            self.loading += new - ours
        else:
            self.others += new - ours
