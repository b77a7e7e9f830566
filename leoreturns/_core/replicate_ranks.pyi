from leoreturns._typing import ByteArray, CodeArray, FloatArray, IntArray, UIntArray

ROWS_PER_BLOCK: int

def order_cells(
    values: FloatArray,
    weights: FloatArray,
    units: CodeArray,
    offsets: IntArray,
    counts: IntArray,
    key_room: UIntArray,
    place_room: FloatArray,
    out: FloatArray,
    out_weights: FloatArray,
    out_units: CodeArray,
) -> None: ...
def rank_lanes(
    values: FloatArray,
    weights: FloatArray,
    units: CodeArray,
    offsets: IntArray,
    counts: IntArray,
    byte_draws: ByteArray,
    real_draws: FloatArray,
    repeated: bool,
    p: FloatArray,
    rule: int,
    tops: FloatArray,
    gini: bool,
    room: FloatArray,
    out: FloatArray,
) -> None: ...
