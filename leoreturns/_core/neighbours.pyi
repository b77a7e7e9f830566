from numpy import float64, int64, uint64
from numpy.typing import NDArray

def sort(
    scores: NDArray[float64],
    members: NDArray[int64],
    offsets: NDArray[int64],
    first: int,
    last: int,
    keys: NDArray[uint64],
    along: NDArray[float64],
) -> None: ...
def points(
    scores: NDArray[float64],
    offsets: NDArray[int64],
    single: bool,
    of_member: NDArray[int64],
    firsts: NDArray[int64],
    point_offsets: NDArray[int64],
) -> int: ...
def nearest(
    focus: NDArray[float64],
    focus_offsets: NDArray[int64],
    pool: NDArray[float64],
    pool_offsets: NDArray[int64],
    counts: NDArray[int64],
    keys: NDArray[uint64],
    k: int,
    caliper: float,
    ties: bool,
    first: int,
    last: int,
    start: NDArray[int64],
    stop: NDArray[int64],
) -> None: ...
def without_replacement(
    focus: NDArray[float64],
    focus_offsets: NDArray[int64],
    order: NDArray[int64],
    pool: NDArray[float64],
    pool_offsets: NDArray[int64],
    keys: NDArray[uint64],
    caliper: float,
    closest: bool,
    first: int,
    last: int,
    links: NDArray[int64],
    room: NDArray[float64],
    out: NDArray[int64],
) -> None: ...
