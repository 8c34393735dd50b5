"""The listener in torch, as it is trained. Played, it is ``models/listener.onnx``.

All twelve pitch classes are one: every layer is a convolution around the circle of
semitones, so what is learnt in one key holds in all of them, exactly, and nothing
has to be transposed in training. An LSTM with a small state for each pitch class
goes through the steps that are over; a head answers for the step at hand, from that
state and from what has been heard of the step.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from jackcomp.ear.melody import N_PITCHED, N_PLAIN
from jackcomp.theory.vocabulary import N_QUALITIES


@dataclass(frozen=True)
class ListenerSettings:
    """Sizes of the network, for each pitch class."""

    embedding: int = 24
    units: int = 64
    head: int = 64
    dropout: float = 0.4


class Around(nn.Module):
    """A linear layer around the circle: pitched and plain inputs, pitched outputs.

    Shapes: ``pitched`` (..., 12, inputs), ``plain`` (..., plain), result (..., 12,
    outputs). An output of pitch class g counts input g' by its interval g' - g.
    """

    def __init__(self, inputs: int, plain: int, outputs: int) -> None:
        super().__init__()
        bound = (12 * inputs + plain) ** -0.5
        self.weight = nn.Parameter(torch.empty(12, inputs, outputs))
        self.plain = nn.Parameter(torch.empty(plain, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        for weight in (self.weight, self.plain):
            nn.init.uniform_(weight, -bound, bound)

    def dense(self) -> tuple[Tensor, Tensor]:
        """Give one matrix (12 * inputs + plain, 12, outputs), and the bias."""
        turned = self.weight[interval_table().to(self.weight.device)]
        pitched = turned.permute(0, 2, 1, 3).flatten(0, 1)
        plain = self.plain[:, None].expand(-1, 12, -1)
        return torch.cat([pitched, plain]), self.bias.expand(12, -1)

    def forward(self, pitched: Tensor, plain: Tensor | None = None) -> Tensor:
        """Apply the layer."""
        weight, bias = self.dense()
        told = pitched.flatten(-2)
        if plain is not None:
            told = torch.cat([told, plain], -1)
        return (told @ weight.flatten(1) + bias.flatten()).unflatten(-1, (12, -1))


def interval_table() -> Tensor:
    """Give the interval from output g up to input g', shape (12 g', 12 g)."""
    return (torch.arange(12)[:, None] - torch.arange(12)) % 12


class Listener(nn.Module):
    """From melody to chords and keys.

    Shapes: ``over`` (batch, steps, N_FEATURES); ``heard`` (batch, steps, points,
    N_FEATURES); logits of chords (batch, steps, points, 169) in vocabulary order and
    of keys (batch, steps, points, 24) in the order of ``theory.key.KEYS``.
    """

    def __init__(self, settings: ListenerSettings) -> None:
        super().__init__()
        self.settings = settings
        size, units = settings.embedding, settings.units
        self.embed = Around(N_PITCHED, N_PLAIN, size)
        self.enter = Around(size, 0, 4 * units)
        self.again = Around(units, 0, 4 * units)
        self.remember = Around(units, 0, settings.head)
        self.hear = Around(N_PITCHED, N_PLAIN, settings.head)
        self.think = Around(settings.head, 0, settings.head)
        self.chords = Around(settings.head, 0, N_QUALITIES)
        self.silence = nn.Linear(settings.head, 1)
        self.keys = Around(settings.head, 0, 2)
        self.dropout = nn.Dropout(settings.dropout)
        self._lstm = (nn.LSTM(12 * size, 12 * units, batch_first=True),)
        nn.init.constant_(self.enter.bias[units : 2 * units], 1.0)

    def forward(self, over: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
        """Give the logits of every step and point, from an empty state on."""
        told = torch.relu(self.embed(*divide(over)))
        state = self._go_through(self.dropout(told.flatten(-2)))
        return self.answer(self.dropout(state), heard)

    def answer(self, state: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
        """Give the logits for ``state`` (batch, steps, 12, units) and ``heard``."""
        remembered = self.remember(state).unsqueeze(2)
        thought = torch.relu(remembered + self.hear(*divide(heard)))
        thought = thought + torch.relu(self.think(self.dropout(thought)))
        thought = self.dropout(thought)
        silence = self.silence(thought.mean(-2))
        chords = torch.cat([self.chords(thought).flatten(-2), silence], -1)
        keys = self.keys(thought).transpose(-1, -2).flatten(-2)
        return chords, keys

    def _go_through(self, told: Tensor) -> Tensor:
        """Run the LSTM with the weights laid around the circle."""
        enter, bias = self.enter.dense()
        again, _ = self.again.dense()
        states, _ = functional_call(
            self._lstm[0],
            {
                "weight_ih_l0": by_gate(enter),
                "weight_hh_l0": by_gate(again),
                "bias_ih_l0": by_gate(bias[None])[:, 0],
                "bias_hh_l0": torch.zeros(48 * self.settings.units),
            },
            (told,),
        )
        return states.unflatten(-1, (12, -1))


def by_gate(dense: Tensor) -> Tensor:
    """Turn (inputs, 12, 4 * units) into (4 * 12 * units, inputs), gate by gate."""
    gates = dense.unflatten(-1, (4, -1)).permute(2, 1, 3, 0)
    return gates.flatten(0, 2)


def divide(features: Tensor) -> tuple[Tensor, Tensor]:
    """Divide features into pitched (..., 12, N_PITCHED) and plain (..., N_PLAIN)."""
    pitched = features[..., : 12 * N_PITCHED].unflatten(-1, (12, N_PITCHED))
    return pitched, features[..., 12 * N_PITCHED :]
