// What the passes of a stable sort by digits of 8 bits share: a workgroup a block of BLOCK keys, a thread a digit.

const DIGITS: u32 = 256u;
const BLOCK: u32 = 1024u;

struct Params {
    count: u32,
    rows: u32,
    columns: u32,
    // the lowest bit of the digit
    shift: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

fn digit_of(key: u32) -> u32 {
    return (key >> params.shift) & (DIGITS - 1u);
}

fn blocks() -> u32 {
    return (params.count + BLOCK - 1u) / BLOCK;
}
