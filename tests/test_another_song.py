"""A second song after an ending, through the core: where its bars are."""

import pytest

from jackcomp import duo
from jackcomp.config import load_settings
from jackcomp.engine.link import Engine, send_all
from jackcomp.engine.offline import OfflineHost, TimedMessage
from jackcomp.messages import Part
from jackcomp.timeline.meter import parse_meter

pytestmark = pytest.mark.slow

RATE = 48_000
BEAT = 0.5
FOUR = parse_meter("4/4")
TUNE = [
    *((0, 60), (1, 64), (1.5, 65), (2, 67), (3, 64)),
    *((4, 62), (4.5, 64), (5, 65), (6, 67), (7, 60)),
]
"""Two bars: beats and notes."""


@pytest.fixture(scope="module")
def models():
    return duo.load_models()


@pytest.fixture
def perform(models, tmp_path, monkeypatch):
    """Play as live; return when, in seconds, and what midi_out played."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def play(messages, seconds, period, **flags):
        settings = load_settings(
            {"style": "block", "end_after": "2", **flags}, None, {}
        )
        ns_per_quarter = duo.first_tempo(settings)
        place = duo.place_at(settings, FOUR, ns_per_quarter, RATE, period)
        start = duo.start_tick(settings, FOUR)
        pacer = duo.build_pacer(
            settings,
            place,
            duo.told_live(settings),
            start,
            restart_tick=duo.restart_tick(settings, FOUR),
        )
        accompanist = duo.build_accompanist(
            settings,
            place,
            fastest_ns_per_quarter=ns_per_quarter,
            models=models,
            pacer=pacer,
        )
        engine = Engine(
            RATE,
            duo.engine_settings(
                settings, place, start=duo.start_mode(settings), start_tick=start
            ),
            None,
        )
        host = OfflineHost(engine, messages, period=period, audio=False)
        host.end = round(seconds * RATE)
        played = []

        def think():
            for report in engine.heard():
                send_all(engine, accompanist.hear(report))
            played.extend(engine.played())

        for _ in host.run(think):
            pass
        host.end = None
        engine.ask_stop()
        next(host.run(think))
        counters = engine.counters()
        engine.close()
        assert counters.notes_on == counters.notes_off > 0
        assert counters.late_events == counters.dropped_decisions == 0
        return [
            (report.frame / RATE, report.part, report.status, report.key)
            for report in played
        ]

    return play


def song(start, upbeat=0):
    """Play the tune twice, quarter notes of an upbeat before it."""
    notes = [(start + n * BEAT, 67) for n in range(upbeat)]
    begin = start + upbeat * BEAT
    notes += [(begin + (at + n) * BEAT, note) for n in (0, 8) for at, note in TUNE]
    return [
        TimedMessage(round((seconds + shift) * RATE), bytes((status, key, 80)))
        for seconds, key in notes
        for shift, status in ((0, 0x90), (0.2, 0x80))
    ]


def bass(played):
    """Say when the bass strikes, in seconds."""
    return [
        seconds
        for seconds, part, status, _ in played
        if part == Part.BASS and status & 0xF0 == 0x90
    ]


@pytest.mark.parametrize(
    ("flags", "upbeat"),
    [
        ({"start": "first-note"}, 0),
        ({"start": "first-note", "pickup": "1"}, 1),
        ({"start": "first-note", "bpm": "120", "follow_tempo": "true"}, 0),
        ({"start": "first-note", "follow_tempo": "true"}, 0),
    ],
)
@pytest.mark.parametrize("rest", [12.0, 12.25, 13.62])
def test_the_band_plays_in_the_bars_of_the_second_song(perform, flags, upbeat, rest):
    again = 8 + rest
    messages = [*song(0, upbeat), *song(again, upbeat)]
    first, second = (perform(messages, again + 12, p, **flags) for p in (64, 1000))
    assert first == second
    bar_one = again + upbeat * BEAT
    # The bass strikes on each half-bar; winding the clock takes up to 25 ms.
    for half_bar in range(4, 8):
        line = bar_one + half_bar * 2 * BEAT
        assert min(abs(seconds - line) for seconds in bass(first)) < 0.03


def test_where_bars_are_counted_they_go_on(perform):
    again = 18.25
    messages = [*song(4.0), *song(again)]
    played = perform(messages, again + 8, 256, start="count-in", count_in="1")
    begin, *others = bass(played)
    for bars in range(8, 11):
        line = begin + bars * 4 * BEAT
        assert min(abs(seconds - line) for seconds in others) < 0.001
