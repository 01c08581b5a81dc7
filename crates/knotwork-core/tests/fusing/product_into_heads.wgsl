// matmul_tile16_relu ["epilogue"]
#import matmul
#import shared/fused
#import activation/relu

@group(0) @binding(3) var<storage, read_write> out0: array<f32>;

// relu
fn emit(at: u32, value: f32) {
    var rest = at;
    let x3 = rest % fused.words[0].x;
    rest = rest / fused.words[0].x;
    let x2 = rest % fused.words[0].y;
    rest = rest / fused.words[0].y;
    let x1 = rest % fused.words[0].z;
    rest = rest / fused.words[0].z;
    let x0 = rest;
    let a0 = value;
    let t0 = kw_relu(a0);
    out0[fused.words[0].w + x0 * fused.words[1].x + x1 * fused.words[1].y + x2 * fused.words[1].z + x3 * fused.words[1].w] = t0;
}

