"""The array types that rooms exchange.

``Distribution`` is float32 ``(n_chords,)`` in vocabulary order and sums to 1;
``KeyDistribution`` is float32 ``(24,)`` in the order of ``theory.key.KEYS``;
``Profile`` is float32 ``(12,)``, sounding time per pitch class, C first, in beats.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Distribution: TypeAlias = NDArray[np.float32]
KeyDistribution: TypeAlias = NDArray[np.float32]
Profile: TypeAlias = NDArray[np.float32]
