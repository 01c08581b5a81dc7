// matmul_tile16_add_gelu_add ["epilogue"]
#import matmul
#import shared/fused
#import activation/gelu

@group(0) @binding(3) var<storage, read_write> out0: array<f32>;
@group(0) @binding(4) var<storage, read> in2: array<f32>;
@group(0) @binding(5) var<storage, read> in3: array<f32>;

// add_gelu_add
fn emit(at: u32, value: f32) {
    var rest = at;
    let x1 = rest % fused.words[0].x;
    rest = rest / fused.words[0].x;
    let x0 = rest;
    let a0 = value;
    let a1 = in2[fused.words[0].y + x0 * fused.words[0].z + x1 * fused.words[0].w];
    let a2 = in3[fused.words[1].x + at];
    let t0 = a0 + a1;
    let t1 = kw_gelu(t0);
    let t2 = t1 + a2;
    out0[fused.words[1].y + at] = t2;
}

