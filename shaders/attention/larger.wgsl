// The larger of two numbers each, NaN where one is NaN.
fn larger_four(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
    let nan = (bitcast<vec4<u32>>(b) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
    return select(a, b, (b > a) | nan);
}
