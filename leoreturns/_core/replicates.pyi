from leoreturns._typing import ByteArray, CodeArray, FloatArray, IntArray

LANES: dict[str, int]

def sum_lanes(
    columns: FloatArray,
    units: CodeArray,
    offsets: IntArray,
    counts: IntArray,
    byte_draws: ByteArray,
    real_draws: FloatArray,
    room: FloatArray,
    out: FloatArray,
) -> None: ...
def pack_units(values: FloatArray, codes: FloatArray, offsets: IntArray, units: CodeArray) -> int: ...
def own_units(units: CodeArray, offsets: IntArray, counts: IntArray, places: CodeArray, out: CodeArray) -> None: ...
def sum_units(
    columns: FloatArray,
    units: CodeArray,
    offsets: IntArray,
    counts: IntArray,
    seen: IntArray,
    out: FloatArray,
    out_units: CodeArray,
    out_counts: IntArray,
) -> None: ...
