// silu_matmul_tile32 ["a_along_k", "a_vectors", "b_vectors", "c_vectors", "load_a"]
#import matmul/tiled
#import shared/fused
#import activation/silu

@group(0) @binding(1) var<storage, read> load_a_in0: array<f32>;

// silu
fn load_a(at: u32) -> f32 {
    let a0 = load_a_in0[fused.words[0].x + at];
    let t0 = kw_silu(a0);
    return t0;
}

