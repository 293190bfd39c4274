"""Documents as Arrow rows: key, source, adapter, and token vectors in half precision; and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import torch


def rows_of(
    names: Sequence[tuple[str, str]],
    vectors: Sequence[torch.Tensor],
    adapters: Sequence[str] = (),
) -> pa.Table:
    """One row for each document.

    Args:
        names: source and key of each, at least one.
        vectors: the token vectors of each, `(tokens_i, dim)`.
        adapters: what encoded each; nothing, and no such column, where one model encodes all.
    """
    arrays = [each.float().cpu().numpy().astype(np.float16) for each in vectors]
    offsets = np.cumsum([0, *map(len, arrays)], dtype=np.int32)
    tokens = pa.FixedSizeListArray.from_arrays(
        pa.array(np.concatenate(arrays).ravel()), arrays[0].shape[1]
    )
    return pa.table(
        {
            "key": pa.array([key for _, key in names]),
            "source": pa.array([source for source, _ in names]),
            **({"adapter": pa.array(list(adapters))} if adapters else {}),
            "vectors": pa.ListArray.from_arrays(pa.array(offsets), tokens),
        }
    )


def vectors_of(batch: pa.RecordBatch) -> list[torch.Tensor]:
    """The token vectors of each row of a batch with the column `vectors`, in half precision."""
    import torch

    column = batch["vectors"]
    tokens = column.flatten()
    flat = tokens.flatten().to_numpy(zero_copy_only=False).reshape(len(tokens), -1)
    sizes = np.diff(column.offsets.to_numpy()).tolist()
    return list(torch.tensor(flat).split(sizes))
