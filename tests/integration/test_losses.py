"""What may be lost while it plays, the music not: the terminal, the disk."""

import signal

import pytest

pytestmark = [pytest.mark.jack, pytest.mark.synth, pytest.mark.slow]

RATE = 48_000
NOWHERE = ("sh", "-c", 'exec "$@" 2>/dev/full', "sh")
"""Runs a command whose every word on stderr is an error, as on a dead terminal."""

FULL = """
import errno, os
from jackcomp.cli import main
from jackcomp.session import Session

def refuse(*anything):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

def open_stats(self, path):
    file = self._stack.enter_context(path.open("w", encoding="utf-8"))
    written = []
    class Disk:
        flush = file.flush
        def write(self, text):
            written.append(text)
            return refuse() if len(written) > 8 else file.write(text)
    return Disk()

os.fdatasync = refuse
Session._open = open_stats
main()
"""
"""Runs jackcomp where the take finds no room, and the counters after a while."""


def test_a_terminal_that_is_gone_does_not_end_the_music(jack_server, play_live):
    program = play_live(jack_server.name, before=NOWHERE)
    for _ in range(2):
        program.signal(signal.SIGHUP)  # answered with a line on stderr
        seen = program.stats["cycles"]
        program.wait_until(lambda seen=seen: program.stats["cycles"] > seen, "cycles")
    program.signal(signal.SIGTERM)
    assert program.exit_code() == 0


def test_a_disk_that_is_full_ends_the_recording_and_not_the_music(
    jack_server, play_live, join_server, tmp_path
):
    program = play_live(
        jack_server.name,
        *("--start", "first-note", "--bpm", 240, "--record", tmp_path / "takes"),
        runner=FULL,
    )
    lines = (
        f"{tmp_path}/takes/take-001: No space left on device: the recording ends",
        "stats.jsonl: No space left on device: --stats end here, ",
    )
    program.wait_until(lambda: all(each in program.stderr for each in lines), lines)
    soloist = join_server("soloist", jack_server.name)
    soloist.speak_to("jackcomp:midi_in")
    soloist.listen_to("jackcomp:midi_out")
    soloist.play((n * RATE // 4, bytes((0x90, 60 + n % 7, 80))) for n in range(60))
    program.wait_until(soloist.sounding, "the accompaniment")
    program.signal(signal.SIGTERM)
    assert program.exit_code() == 0, program.stderr
    assert "Traceback" not in program.stderr
    assert all(program.stderr.count(each) == 1 for each in lines)
