from dataclasses import replace

import pytest

from jackcomp.engine.wiring import PortInfo, Wiring

KEYS = PortInfo("keys:out", "midi", "out", True)
PADS = PortInfo("pads:out", "midi", "out", True)
THROUGH = PortInfo("a2j:Midi Through", "midi", "out", True)
SEQUENCER = PortInfo("daw:midi", "midi", "out", False)
SYNTH = PortInfo("synth:in", "midi", "in", True)
LEFT, RIGHT, THIRD = (
    PortInfo(f"system:playback_{number}", "audio", "in", True) for number in (1, 2, 3)
)
MIXER = PortInfo("mixer:in", "audio", "in", False)
TO_SPEAKERS = [
    ("out_left", LEFT.name),
    ("out_right", RIGHT.name),
    ("solo_left", LEFT.name),
    ("solo_right", RIGHT.name),
    ("click", LEFT.name),
    ("click", RIGHT.name),
]


@pytest.fixture
def wiring():
    return Wiring((), connects=True)


def test_keyboards_are_connected_and_nothing_else_that_speaks_midi(wiring):
    ports = [THROUGH, SEQUENCER, SYNTH, KEYS, PADS]
    assert wiring.look(ports, ()) == [("midi_in", KEYS.name), ("midi_in", PADS.name)]


def test_patterns_choose_by_name_alone():
    wiring = Wiring(("^daw:", "Through"), connects=True)
    wanted = wiring.look([KEYS, SEQUENCER, THROUGH], ())
    assert wanted == [("midi_in", SEQUENCER.name), ("midi_in", THROUGH.name)]


def test_the_first_pair_of_speakers_gets_everything(wiring):
    assert wiring.look([MIXER, LEFT, RIGHT, THIRD], ()) == TO_SPEAKERS


def test_one_speaker_gets_both_sides(wiring):
    assert wiring.look([LEFT], ()) == [
        (ours, LEFT.name)
        for ours in ("out_left", "out_right", "solo_left", "solo_right", "click")
    ]


def test_what_appears_later_is_connected_then(wiring):
    wiring.look([], ())
    assert wiring.look([KEYS], ()) == [("midi_in", KEYS.name)]
    made = [("midi_in", KEYS.name)]
    assert wiring.look([KEYS], made) == []
    assert wiring.look([KEYS, LEFT, RIGHT], made) == TO_SPEAKERS


def test_outputs_that_go_elsewhere_are_left_there(wiring):
    made = [("out_left", MIXER.name)]
    wiring.look([MIXER], made)
    wanted = wiring.look([MIXER, LEFT, RIGHT], made)
    assert wanted == [pair for pair in TO_SPEAKERS if pair[0] != "out_left"]


def test_what_was_pulled_out_stays_out_until_it_is_plugged_in_anew(wiring):
    made = [("midi_in", KEYS.name)]
    wiring.look([KEYS], ())
    wiring.look([KEYS], made)
    assert wiring.look([KEYS], ()) == []
    assert not wiring.is_settled
    assert wiring.look([KEYS], ()) == []
    assert wiring.is_settled
    wiring.look([], ())
    assert wiring.look([KEYS], ()) == made


def test_a_client_that_is_disconnected_before_its_ports_go_comes_back(wiring):
    made = [("midi_out", SYNTH.name)]  # by hand
    wiring.look([SYNTH], made)
    wiring.look([SYNTH], ())
    wiring.look([], ())
    assert wiring.is_settled
    assert wiring.look([SYNTH], ()) == made


@pytest.mark.parametrize("connects", [True, False])
def test_after_the_server_has_come_back_all_is_as_before(connects):
    wiring = Wiring((), connects=connects)
    made = [("midi_in", SEQUENCER.name), ("out_left", MIXER.name)]
    wiring.look([SEQUENCER, MIXER], made)
    wiring.forget_ports()
    assert wiring.look([MIXER], ()) == [made[1]]
    assert wiring.look([MIXER, SEQUENCER], [made[1]]) == [made[0]]


def test_without_connecting_only_what_was_there_is_restored():
    wiring = Wiring((), connects=False)
    assert wiring.look([KEYS, LEFT, RIGHT], ()) == []


def test_a_port_that_comes_back_between_two_looks_is_connected_again(wiring):
    made = [("midi_in", KEYS.name)]
    wiring.look([KEYS], ())
    wiring.look([KEYS], made)
    again = replace(KEYS, births=1)
    assert wiring.look([again], ()) == made
    assert wiring.is_settled
