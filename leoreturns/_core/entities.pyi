from numpy import int32, int64
from numpy.typing import NDArray

def count_entities(
    codes: NDArray[int32], offsets: NDArray[int64], seen: NDArray[int64], out: NDArray[int64]
) -> None: ...
