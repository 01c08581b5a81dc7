// Which tiles of keys hold no weight for a tile of queries: bits in the third number of its rows, a whole number, where weights below
// a threshold are 0. A bit stands for one tile of keys, or several in a row where rows are too few for so many.
#import attention/params

// Whole numbers of so many bits are exact in a float.
const EMPTY_BITS: u32 = 24u;

// Tiles of keys that one bit of this tile of queries stands for.
fn tiles_a_bit(first_row: u32) -> u32 {
    let bits = EMPTY_BITS * min(params.queries - first_row, 32u);
    return (params.tiles.y + bits - 1u) / bits;
}
