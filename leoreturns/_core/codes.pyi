from numpy import int32, int64, uint8, uint64
from numpy.typing import NDArray

def hash_integers(ids: NDArray[int64], keys: NDArray[uint64]) -> None: ...
def hash_text(data: NDArray[uint8], offsets: NDArray[int64], keys: NDArray[uint64]) -> None: ...
def dense_codes(
    values: NDArray[uint8],
    itemsize: int,
    start: int,
    n_found: int,
    slots: NDArray[int64],
    codes: NDArray[int32],
    found: NDArray[int64],
) -> tuple[int, int]: ...
def fill_slots(found: NDArray[int64], slots: NDArray[int64]) -> None: ...
def sort_rows(
    codes: NDArray[uint8], itemsize: int, rank: NDArray[int32], order: NDArray[int64], offsets: NDArray[int64]
) -> None: ...
def sort_within(
    offsets: NDArray[int64], first: int, last: int, times: NDArray[uint8], itemsize: int, order: NDArray[int64]
) -> tuple[int, int]: ...
