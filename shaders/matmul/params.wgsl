// The numbers of a product: every kernel of one takes the same.

struct Params {
    m: u32,
    n: u32,
    k: u32,
    batches: u32,
    // (offset, stride of the rows, stride of the columns, 0)
    a: vec4<u32>,
    b: vec4<u32>,
    // sizes and strides of the leading dimensions
    batch: vec4<u32>,
    batch_a: vec4<u32>,
    batch_b: vec4<u32>,
    // the range of K: its first index, one past its last, the indices of a part, the parts
    range: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
