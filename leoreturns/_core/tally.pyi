from collections.abc import Mapping

from numpy import int32, int64, uint8, uint64
from numpy.typing import NDArray

TOTALS: Mapping[str, int]

def tally_rows(
    trait: NDArray[int32],
    offsets: NDArray[int64],
    codes: NDArray[uint8],
    code_size: int,
    mask: NDArray[uint8],
    width: int,
    keys: NDArray[uint64],
    members: NDArray[uint64],
    totals: NDArray[uint64],
) -> tuple[bool, int]: ...
