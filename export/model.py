"""The chord model in torch, as it is trained. Played, it is ``models/brain.onnx``.

An LSTM over the steps of the harmonic grid. Three tables turn the chord before
(its move from the last root, its place above the first, how long it was held) into
one vector; the step's position and the song's genre are put beside it. Two heads
answer: one counts roots from the last chord (a fifth down is a fifth down), one
from the song's first (home is home); their logits are added.

What tables and heads know of a chord they know in part of its root, its quality and its
notes (`ChordRows`), so that a chord which few songs have is known by those like it.

Two kinds of forgetting keep so few songs from being learnt by heart: dropout before
and after the LSTM, and dropout of its recurrent weights (Merity, Keskar and Socher,
"Regularizing and Optimizing LSTM Language Models", 2017).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from jackcomp.brain.features import (
    N_GENRES,
    N_HELD,
    N_PLACES,
    POSITION_SIZE,
)
from jackcomp.theory.vocabulary import (
    CHORDS,
    N_CHORDS,
    N_QUALITIES,
    NO_CHORD_INDEX,
)

TABLE_DEVIATION = 0.1


@dataclass(frozen=True)
class ModelSettings:
    """Sizes of the network."""

    units: int = 384
    layers: int = 1
    embedding: int = 128
    dropout: float = 0.5
    weight_dropout: float = 0.3


class ChordRows(nn.Module):
    """A row of numbers for each chord: its own, and what it shares with others.

    Parameters
    ----------
    parts : Tensor, shape=(rows, parts)
        What each row consists of, see `chord_parts`.
    size : int
        Numbers in a row.
    deviation : float
        Standard deviation of what is there before training.
    """

    def __init__(self, parts: Tensor, size: int, deviation: float) -> None:
        super().__init__()
        self.register_buffer("parts", parts, persistent=False)
        self.own = nn.Parameter(torch.randn(len(parts), size) * deviation)
        self.shared = nn.Parameter(torch.randn(parts.shape[1], size) * deviation)

    def forward(self) -> Tensor:
        """Give all rows, shape (rows, size)."""
        return self.own + self.parts @ self.shared

    def fold(self) -> None:
        """Make all that is shared each row's own: what is played needs no parts."""
        self.own.data = self().detach()
        self.shared.data.zero_()


class ChordModel(nn.Module):
    """Foresees the chord of each step from the chords before it.

    Shapes: ``inputs`` (batch, steps, 4) int64, `ChordInput` by step; ``positions``
    (batch, steps, POSITION_SIZE) float32; ``genres`` (batch, N_GENRES) float32, zero
    where not told; logits (batch, steps, 169) by index from the song's first root.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        chords, embedding, units = chord_parts(), settings.embedding, settings.units
        # No chord and the start of a song consist of nothing, a first chord of its
        # quality and its notes.
        places = functional.pad(chords, (0, 0, 0, N_PLACES - N_CHORDS))
        first = chords[:N_QUALITIES].clone()
        first[:, :12] = 0
        self.move = ChordRows(torch.cat([places, first]), embedding, TABLE_DEVIATION)
        self.place = ChordRows(places, embedding, TABLE_DEVIATION)
        self.held = nn.Embedding(N_HELD, embedding)
        nn.init.normal_(self.held.weight, std=TABLE_DEVIATION)
        self.lstm = nn.LSTM(
            settings.embedding + POSITION_SIZE + N_GENRES,
            settings.units,
            settings.layers,
            batch_first=True,
            dropout=settings.dropout if settings.layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(settings.dropout)
        spread = 1 / math.sqrt(3 * units)
        self.from_last = ChordRows(chords, units, spread)
        self.from_first = ChordRows(chords[:NO_CHORD_INDEX], units, spread)
        self.bias = nn.Parameter(torch.zeros(N_CHORDS))
        self.register_buffer("turns", turn_table(), persistent=False)

    def forward(self, inputs: Tensor, positions: Tensor, genres: Tensor) -> Tensor:
        """Give the logits of every step, starting from an empty state."""
        move, place, offset, held = inputs.unbind(-1)
        chord = (
            functional.embedding(move, self.move())
            + functional.embedding(place, self.place())
            + self.held(held)
        )
        chord = self.dropout(chord)
        genre = genres[:, None].expand(-1, chord.shape[1], -1)
        hidden = self._remember(torch.cat([chord, positions, genre], -1))
        hidden = self.dropout(hidden)
        logits = functional.linear(hidden, self.from_last(), self.bias).float()
        turned = logits.gather(-1, self.turns[offset])
        home = functional.linear(hidden, self.from_first()).float()
        return torch.cat(
            [turned[..., :NO_CHORD_INDEX] + home, turned[..., NO_CHORD_INDEX:]], -1
        )

    def _remember(self, inputs: Tensor) -> Tensor:
        """Run the LSTM; while training, some of its recurrent weights are left out."""
        lstm, settings = self.lstm, self.settings
        weights = [
            functional.dropout(weight, settings.weight_dropout, self.training)
            if name.startswith("weight_hh")
            else weight
            for name, weight in lstm.named_parameters()
        ]
        zeros = inputs.new_zeros(settings.layers, len(inputs), settings.units)
        hidden, *_ = torch.lstm(
            inputs,
            (zeros, zeros),
            weights,
            has_biases=True,
            num_layers=settings.layers,
            dropout=lstm.dropout,
            train=self.training,
            bidirectional=False,
            batch_first=True,
        )
        return hidden


def chord_parts() -> Tensor:
    """Give what each chord consists of, shape (169, 12 + N_QUALITIES + 12), 0 or 1.

    Its root, its quality, and its pitch classes; no chord has none of them.
    """
    parts = torch.zeros(N_CHORDS, 12 + N_QUALITIES + 12)
    for index, row in enumerate(parts[:NO_CHORD_INDEX]):
        root, quality = divmod(index, N_QUALITIES)
        row[[root, 12 + quality]] = 1
        row[[12 + N_QUALITIES + note for note in CHORDS[index].pitch_classes]] = 1
    return parts


def turn_table() -> Tensor:
    """Give, for each offset of the last root above the first, where to look.

    Shape (12, 169): entry [offset, index from the first root] is the index from
    the last root.
    """
    index = torch.arange(NO_CHORD_INDEX)
    turned = (index - torch.arange(12)[:, None] * N_QUALITIES) % NO_CHORD_INDEX
    return torch.cat([turned, torch.full((12, 1), NO_CHORD_INDEX)], 1)


def negative_log_likelihood(
    logits: Tensor, answers: Tensor, rootless: Tensor
) -> Tensor:
    """Give the loss of each step, in nats.

    Parameters
    ----------
    logits : Tensor, shape=(steps, 169)
        By index from the first root.
    answers : Tensor, shape=(steps,), int64
        The right index.
    rootless : Tensor, shape=(steps,), bool
        Where there is no first root yet, a chord has a twelfth of its quality's
        probability, as in `jackcomp.brain.features.decode_answers`.
    """
    logs = logits.log_softmax(-1)
    losses = -logs.gather(-1, answers[:, None]).squeeze(-1)
    rows = (rootless & (answers != NO_CHORD_INDEX)).nonzero().squeeze(-1)
    by_root = logs[rows, :NO_CHORD_INDEX].unflatten(-1, (12, N_QUALITIES))
    qualities = by_root.logsumexp(1) - math.log(12)
    # The root of a rootless answer is 0, so its index is its quality.
    spread = -qualities.gather(-1, answers[rows, None]).squeeze(-1)
    return losses.index_copy(0, rows, spread)
