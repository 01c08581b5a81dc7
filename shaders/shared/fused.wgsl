// What elementwise steps that were fused into a kernel take beside their buffers: sizes, strides, numbers.
const FUSED: u32 = 1u;

struct Fused {
    words: array<vec4<u32>, FUSED>,
}

@group(0) @binding(64) var<uniform> fused: Fused;
