from numpy import int32, int64, uint8, uint64
from numpy.typing import NDArray

def count_entities(
    codes: NDArray[int32], offsets: NDArray[int64], seen: NDArray[int64], out: NDArray[int64]
) -> None: ...
def mark_entities(
    trait: NDArray[int32],
    offsets: NDArray[int64],
    codes: NDArray[uint8],
    code_size: int,
    mask: NDArray[uint8],
    width: int,
    values: NDArray[uint8],
    value_size: int,
    kind: int,
    entities: NDArray[uint8],
    entity_size: int,
    by_row: bool,
    marks: NDArray[uint64],
) -> None: ...
