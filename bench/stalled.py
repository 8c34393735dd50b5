"""jackcomp whose worker stalls: for two seconds, and again two seconds later.

Runs in the place of ``jackcomp``, with the same arguments. A stall begins where the
worker is told of a cut-off, so that what it had in mind comes too late.
"""

import time

from jackcomp.accompanist import Accompanist
from jackcomp.cli import main
from jackcomp.messages import Order, Report, ReportKind

STALL_SECONDS = 2.0


def stall_the_worker() -> None:
    """Let every accompanist of this process stall from now on."""
    hear = Accompanist.hear
    awake_until = time.monotonic() + STALL_SECONDS

    def stall(self: Accompanist, report: Report) -> list[Order]:
        nonlocal awake_until
        if report.kind is ReportKind.CUTOFF and time.monotonic() > awake_until:
            time.sleep(STALL_SECONDS)
            awake_until = time.monotonic() + STALL_SECONDS
        return hear(self, report)

    setattr(Accompanist, "hear", stall)  # noqa: B010 (a method, as mypy sees it)


if __name__ == "__main__":
    stall_the_worker()
    main(prog_name="jackcomp")
