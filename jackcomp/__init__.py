"""jackcomp, an accompanist that lives in the JACK graph."""

import os

# numpy's OpenBLAS starts a thread for every processor, which spins after each product;
# ours are small. It looks when numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
