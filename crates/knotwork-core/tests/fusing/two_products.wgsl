// matmul_tile16_sigmoid ["epilogue"]
#import matmul
#import shared/fused
#import activation/sigmoid

@group(0) @binding(3) var<storage, read_write> out0: array<f32>;

// sigmoid
fn emit(at: u32, value: f32) {
    let a0 = value;
    let t0 = kw_sigmoid(a0);
    out0[fused.words[0].x + at] = t0;
}

// matmul_tile16_mul ["epilogue"]
#import matmul
#import shared/fused

@group(0) @binding(3) var<storage, read_write> out0: array<f32>;

// mul
fn emit(at: u32, value: f32) {
    let a0 = value;
    let a1 = out0[fused.words[0].x + at];
    let t0 = a1 * a0;
    out0[fused.words[0].y + at] = t0;
}

