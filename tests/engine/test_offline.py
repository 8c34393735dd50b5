import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from jackcomp.engine.link import Engine, EngineSettings
from jackcomp.engine.offline import OfflineHost, TimedMessage
from jackcomp.messages import Cutoff, Part, PlannedNote, Replace, ReportKind

RATE = 48_000
SECONDS = 3
SETTINGS = EngineSettings(
    ns_per_quarter=431_234_567,
    bar_ticks=7680,
    pulse_ticks=1920,
    click=((64, 112), (52, 72), (52, 92), (52, 72)),
    click_sounds=True,
)
PERIODS = (64, 256, 1000, 1024)
SOLO = [
    TimedMessage(0, bytes((0x90, 72, 100))),
    TimedMessage(1023, bytes((0xE0, 0, 80))),
    TimedMessage(12_345, bytes((0x80, 72, 0))),
    TimedMessage(12_345, bytes((0xC0, 5))),
    TimedMessage(47_999, bytes((0xB0, 64, 127))),
]


def plan(*ticks):
    notes = tuple(
        PlannedNote(tick, 700, Part(number % 2), 40 + number % 40, 90)
        for number, tick in enumerate(ticks)
    )
    return Replace(1, 0, 7680, (Part.CHORDS, Part.BASS), notes)


def render(period, orders, solo=SOLO, synth=None, seconds=SECONDS):
    """Play for some seconds; give what was heard, played, and the sound."""
    engine = Engine(RATE, SETTINGS, synth)
    for order in orders:
        assert engine.order(order)
    heard, sound = [], []
    host = OfflineHost(engine, solo, period=period, audio=True)
    host.end = seconds * RATE
    for audio in host.run(lambda: heard.extend(engine.heard())):
        sound.append(audio.copy())
    assert host.frame == engine.counters().last_frame == seconds * RATE
    played = engine.played()
    engine.close()
    return heard, played, np.concatenate(sound, axis=1)


@pytest.mark.parametrize("period", PERIODS)
def test_messages_are_heard_at_their_own_frames(period):
    heard, _, _ = render(period, [])
    midi = [r for r in heard if r.kind is ReportKind.MIDI]
    assert [(r.frame, r.status) for r in midi] == [
        *((0, 0x90), (12_345, 0x80), (47_999, 0xB0))
    ]


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 9000), max_size=40),
    st.lists(st.integers(0, 9000)),
    st.data(),
)
def test_any_period_has_the_same_events_at_the_same_frames(ticks, cutoffs, data):
    period = data.draw(st.integers(16, 2048))
    orders = [plan(*ticks), *(Cutoff(tick, 1 + i) for i, tick in enumerate(cutoffs))]
    heard, played, _ = render(64, orders, seconds=2)
    other_heard, other_played, _ = render(period, orders, seconds=2)
    assert other_played == played
    assert other_heard == heard


def test_audio_has_a_row_for_each_port_and_is_left_out_on_request():
    engine = Engine(RATE, SETTINGS)
    for audio, shape in ((True, (5, 128)), (False, (0, 128))):
        host = OfflineHost(engine, [], period=128, audio=audio)
        assert next(host.run(lambda: None)).shape == shape
    engine.close()


def test_the_thinking_runs_after_each_cycle_and_before_the_next():
    engine = Engine(RATE, SETTINGS)
    frames = []
    host = OfflineHost(engine, [], period=100, audio=False)
    steps = host.run(lambda: frames.append((host.frame, engine.counters().last_frame)))
    for _ in range(3):
        next(steps)
    assert frames == [(0, 100), (100, 200), (200, 300)]
    engine.close()


def test_the_end_may_come_nearer_and_go_away_while_it_runs():
    engine = Engine(RATE, SETTINGS)
    host = OfflineHost(
        engine, [TimedMessage(250, b"\x90\x40\x40")], period=100, audio=True
    )
    lengths = []
    host.end = 150
    for audio in host.run(lambda: None):
        lengths.append(audio.shape[1])
        host.end = {1: None, 2: 250}.get(len(lengths), host.end)
    assert lengths == [100, 100, 50]
    # What lies at the end or after it is not heard any more ...
    assert all(report.kind is not ReportKind.MIDI for report in engine.heard())
    host.end = None
    next(host.run(lambda: None))
    # ... but if it goes on, it goes on from there.
    assert [report.frame for report in engine.heard()] == [250]
    engine.close()


@pytest.mark.synth
def test_any_period_sounds_the_same_to_the_last_bit(soundfont):
    from jackcomp.engine.synth import Synth

    def sound(period):
        synth = Synth(soundfont, RATE)
        try:
            return render(period, [plan(0, 0, 960, 1333)], synth=synth.pointer)[2]
        finally:
            synth.close()

    first = sound(PERIODS[0])
    # The accompaniment, the soloist and the click are all to be heard.
    assert (np.abs(first).max(axis=1) > 0.01).all()
    for period in PERIODS[1:]:
        np.testing.assert_array_equal(sound(period), first)


@pytest.mark.synth
def test_after_stop_the_sound_dies_away(soundfont):
    from jackcomp.engine.synth import Synth

    synth = Synth(soundfont, RATE)
    engine = Engine(RATE, SETTINGS, synth.pointer)
    engine.order(plan(*[0] * 12))
    levels = []
    host = OfflineHost(engine, SOLO[:1], period=480, audio=True)
    for audio in host.run(lambda: None):
        levels.append(float(np.abs(audio).max()))
        if len(levels) == 50:
            engine.ask_stop()
        if len(levels) == 300:
            break
    engine.close()
    synth.close()
    assert max(levels[40:50]) > 0.05
    # The keys are released at once; half a second later the room is quiet too.
    assert max(levels[100:]) < 0.02
    assert max(levels[250:]) < 0.002
