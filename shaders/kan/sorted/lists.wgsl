// What the kernels over sorted rows share: the parts of an input's rows, and where their sums lie.
#import kan/basis

// A part of the sorted rows of one input and one block.
struct KanList {
    input: u32,
    // First and last + 1 in [I, B]; none where they are equal.
    first: u32,
    last: u32,
    // The end of the block.
    end: u32,
    // What to add to a function's number for its sums: functions that two parts share have a place for each.
    to: u32,
}

fn kan_blocks() -> u32 {
    return (params.rows + params.block - 1u) / params.block;
}

// Part `part` of a block.
fn kan_list(input: u32, block: u32, part: u32) -> KanList {
    let head = input * params.rows;
    let end = min((block + 1u) * params.block, params.rows);
    let first = min(block * params.block + part * params.span, end);
    let last = min(first + params.span, end);
    let places = params.bases + (params.parts - 1u) * (KAN_ORDER + 1u);
    let to = (block * params.inputs + input) * places + part * (KAN_ORDER + 1u);
    return KanList(input, head + first, head + last, head + end, to);
}
