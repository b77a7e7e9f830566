from numpy import float64, int32, int64, uint8
from numpy.typing import NDArray

def sum_groups(values: NDArray[float64], starts: NDArray[int64], out: NDArray[float64]) -> None: ...
def sum_codes(values: NDArray[float64], codes: NDArray[int32], out: NDArray[float64]) -> None: ...
def sum_sides(
    own: NDArray[float64],
    scale: NDArray[float64],
    one_sided: NDArray[uint8],
    sizes: NDArray[float64],
    codes: NDArray[int32],
    out: NDArray[float64],
) -> None: ...
def person_evidence(
    own: NDArray[float64],
    regressors: NDArray[float64],
    off: NDArray[uint8],
    sizes: NDArray[float64],
    starts: NDArray[int64],
    scale: NDArray[float64],
    one_sided: NDArray[uint8],
    out: NDArray[float64],
) -> None: ...
def leverages(
    slots: NDArray[int32],
    weights: NDArray[float64],
    starts: NDArray[int64],
    centred: bool,
    inverse: NDArray[float64],
    out: NDArray[float64],
) -> None: ...
def group_products(rows: NDArray[float64], starts: NDArray[int64], out: NDArray[float64]) -> None: ...
