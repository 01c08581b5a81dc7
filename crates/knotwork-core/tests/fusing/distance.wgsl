// sub_square_reduce_tree_sqrt ["line", "floats", "epilogue", "load"]
#import reduce
#import shared/fused

@group(0) @binding(2) var<storage, read_write> out0: array<f32>;

// sqrt
fn emit(at: u32, value: f32) {
    let a0 = value;
    let t0 = sqrt(a0);
    out0[fused.words[0].x + at] = t0;
}
#import shared/fused
#import elementwise/arith

@group(0) @binding(1) var<storage, read> load_in0: array<f32>;
@group(0) @binding(3) var<storage, read> load_in1: array<f32>;

// sub_square
fn load(at: u32) -> f32 {
    let a0 = load_in0[fused.words[0].y + at];
    let a1 = load_in1[fused.words[0].z + at];
    let t0 = a0 - a1;
    let t1 = kw_square(t0);
    return t1;
}

