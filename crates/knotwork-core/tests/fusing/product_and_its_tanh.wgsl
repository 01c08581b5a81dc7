// matmul_tile16_copy_tanh ["epilogue"]
#import matmul
#import shared/fused
#import activation/tanh

@group(0) @binding(3) var<storage, read_write> out0: array<f32>;
@group(0) @binding(4) var<storage, read_write> out1: array<f32>;

// copy_tanh
fn emit(at: u32, value: f32) {
    let a0 = value;
    let t0 = a0;
    let t1 = kw_tanh(a0);
    out0[fused.words[0].x + at] = t0;
    out1[fused.words[0].y + at] = t1;
}

