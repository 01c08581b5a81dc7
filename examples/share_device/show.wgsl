// The app's last pass: three images side by side, as a screen shows them (8 bits a channel, gamma 2.2).

struct Screen {
    width: u32,
    height: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<uniform> screen: Screen;
@group(0) @binding(1) var<storage, read> left: array<f32>;
@group(0) @binding(2) var<storage, read> middle: array<f32>;
@group(0) @binding(3) var<storage, read> right: array<f32>;
@group(0) @binding(4) var<storage, read_write> pixels: array<u32>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= 3u * screen.width || id.y >= screen.height {
        return;
    }
    let plane = screen.width * screen.height;
    let at = id.y * screen.width + id.x % screen.width;
    var colour = vec3(left[at], left[plane + at], left[2u * plane + at]);
    if id.x >= 2u * screen.width {
        colour = vec3(right[at], right[plane + at], right[2u * plane + at]);
    } else if id.x >= screen.width {
        colour = vec3(middle[at], middle[plane + at], middle[2u * plane + at]);
    }
    let shown = pow(clamp(colour, vec3(0.0), vec3(1.0)), vec3(1.0 / 2.2));
    pixels[id.y * 3u * screen.width + id.x] = pack4x8unorm(vec4(shown, 1.0));
}
