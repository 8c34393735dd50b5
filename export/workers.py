"""The processes that train together: one, or as many as ``torchrun`` starts.

Each takes its share of every epoch's batches, and after each batch all take the
mean of their gradients, so that their weights stay the same. On a GPU each process
has its own, messages go by NCCL, and products are computed in bfloat16; on CPUs
messages go by gloo.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import torch
from torch import distributed, nn

from jackcomp.errors import JackcompError

T = TypeVar("T")


@dataclass(frozen=True)
class Workers:
    """One process among ``size``, which computes on ``device``."""

    number: int
    size: int
    device: torch.device

    @classmethod
    @contextmanager
    def join(cls) -> Iterator[Self]:
        """Join the processes that ``torchrun`` has started, or be the only one."""
        torch.set_num_threads(1)
        size = int(os.environ.get("WORLD_SIZE", "1"))
        number = int(os.environ.get("RANK", "0"))
        device = torch.device("cpu")
        if torch.cuda.is_available():
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(device)
        if size == 1:
            yield cls(number, size, device)
            return
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        try:
            yield cls(number, size, device)
        finally:
            distributed.destroy_process_group()

    @property
    def is_first(self) -> bool:
        """Whether this process prints and writes."""
        return self.number == 0

    def seed(self, seed: int) -> int:
        """Give each process its own dropout; the first has that of a lone one."""
        return seed + 1_000_003 * self.number

    def share(self, batches: list[list[int]]) -> list[list[int]]:
        """Give this process its batches, as many as the others get.

        Those left over are shared again with the first ones, so that no song is
        left out.
        """
        missing = -len(batches) % self.size
        return [*batches, *batches[:missing]][self.number :: self.size]

    def average_gradients(self, model: nn.Module) -> None:
        """Replace the gradients by their mean over all processes."""
        if self.size == 1:
            return
        gradients = [weight.grad for weight in model.parameters()]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, mean in zip(gradients, flat.split(sizes), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def add_up(self, *numbers: float) -> list[float]:
        """Add numbers up over all processes."""
        if self.size == 1:
            return list(numbers)
        total = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        return total.tolist()

    def from_first(self, make: Callable[[], T]) -> T:
        """Give all processes what the first one makes, or its complaint."""
        if self.size == 1:
            return make()
        told: list[Any] = [None]
        if self.is_first:
            try:
                told = [make()]
            except JackcompError as error:
                told = [error]
        distributed.broadcast_object_list(told, device=self.device)
        if isinstance(told[0], JackcompError):
            raise told[0]
        return told[0]

    def wait(self) -> None:
        """Wait for the others."""
        if self.size > 1:
            distributed.barrier()

    def mixed_precision(self) -> AbstractContextManager[object]:
        """Compute products in bfloat16 on a GPU; on a CPU nothing changes."""
        is_gpu = self.device.type == "cuda"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=is_gpu)
