"""What ends a live session, without one."""

import signal
import subprocess
import sys

# A thousand signals a second, most of them while the main thread waits.
SIGNALS = """
import signal
from jackcomp.live import _Ending

ending = _Ending()
signal.signal(signal.SIGALRM, lambda _, frame: ending.on_signal(signal.SIGTERM, frame))
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
for _ in range(100_000):
    ending.wait(0.0001)
signal.setitimer(signal.ITIMER_REAL, 0)
assert ending.wait(0)
print(ending.code)
"""


def test_a_signal_never_waits_for_what_it_has_interrupted():
    done = subprocess.run(
        [sys.executable, "-c", SIGNALS],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


def test_a_signal_ends_the_waiting_and_a_request_does_not():
    from jackcomp.live import INTERRUPTED, _Ending

    ending = _Ending()
    assert not ending.wait(0.0)
    ending.on_request(signal.SIGHUP, None)
    assert not ending.wait(0.0)
    assert ending.take_asked() == {signal.SIGHUP}
    assert ending.take_asked() == set()
    ending.on_signal(signal.SIGINT, None)
    assert ending.wait(60.0)
    assert ending.code == INTERRUPTED
