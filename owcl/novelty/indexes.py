"""Where a search for neighbours is computed."""

from __future__ import annotations

from typing import Any


def on_gpu(index: Any) -> Any:
    """Return an empty `faiss` index on the first GPU, or as it is where `faiss` or the machine has none.

    It is for one search over many faces. An index that several threads ask, as that of the open-set score at
    ingest, stays on the processor: on a GPU only one thread at a time may search.
    """
    import faiss

    if hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0:
        return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
    return index
