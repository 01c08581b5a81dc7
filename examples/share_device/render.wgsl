// The app's renderer: three moving spheres on a chequered floor under an area light, a few random rays a pixel. Writes planes
// of an image, row by row: red, green, blue, and where `guides` says so albedo (3) and normal (3), which have no noise.

struct Scene {
    width: u32,
    height: u32,
    samples: u32,
    seed: u32,
    time: f32,
    guides: u32,
    pad0: u32,
    pad1: u32,
}

struct Hit {
    distance: f32,
    normal: vec3<f32>,
    albedo: vec3<f32>,
}

@group(0) @binding(0) var<uniform> scene: Scene;
@group(0) @binding(1) var<storage, read_write> image: array<f32>;

var<private> state: u32;

// PCG: a random number in 0..1.
fn random() -> f32 {
    state = state * 747796405u + 2891336453u;
    let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    return f32((word >> 22u) ^ word) / 4294967296.0;
}

fn sphere(k: u32) -> vec4<f32> {
    let angle = scene.time * 0.7 + f32(k) * 2.1;
    let radius = 0.55 + 0.2 * f32(k);
    return vec4(1.6 * cos(angle), radius + 0.3 * abs(sin(scene.time + f32(k))), 1.2 * sin(angle), radius);
}

fn trace(origin: vec3<f32>, direction: vec3<f32>) -> Hit {
    var hit = Hit(1e9, vec3(0.0), vec3(0.0));
    if direction.y < -1e-4 {
        let t = -origin.y / direction.y;
        let at = origin + t * direction;
        if t > 1e-3 && dot(at.xz, at.xz) < 100.0 {
            let dark = (i32(floor(at.x)) + i32(floor(at.z))) % 2 != 0;
            hit = Hit(t, vec3(0.0, 1.0, 0.0), select(vec3(0.8), vec3(0.35, 0.4, 0.45), dark));
        }
    }
    for (var k = 0u; k < 3u; k++) {
        let s = sphere(k);
        let to = origin - s.xyz;
        let b = dot(to, direction);
        let d = b * b - dot(to, to) + s.w * s.w;
        let t = -b - sqrt(max(d, 0.0));
        if d > 0.0 && t > 1e-3 && t < hit.distance {
            let colour = vec3(0.9 - 0.3 * f32(k), 0.35 + 0.2 * f32(k), 0.2 + 0.3 * f32(k));
            hit = Hit(t, (to + t * direction) / s.w, colour);
        }
    }
    return hit;
}

// Light that reaches a point: one random point of the lamp, one random direction of the sky.
fn light(at: vec3<f32>, normal: vec3<f32>) -> f32 {
    let lamp = vec3(3.0 * random() - 2.5, 4.0, 3.0 * random() - 2.0);
    let to_lamp = normalize(lamp - at);
    let seen = trace(at + 2e-3 * normal, to_lamp).distance > 1e8;
    let z = 2.0 * random() - 1.0;
    let turn = 6.2831853 * random();
    let on_ball = vec3(sqrt(max(1.0 - z * z, 0.0)) * vec2(cos(turn), sin(turn)), z);
    let sky = trace(at + 2e-3 * normal, normalize(normal + 0.999 * on_ball)).distance > 1e8;
    return select(0.0, 0.7 * max(dot(normal, to_lamp), 0.0), seen) + select(0.0, 0.3, sky);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= scene.width || id.y >= scene.height {
        return;
    }
    let pixel = id.y * scene.width + id.x;
    state = pixel * 9781u + scene.seed * 6271u + 1u;
    let size = vec2(f32(scene.width), f32(scene.height));
    let p = (2.0 * (vec2<f32>(id.xy) + 0.5) - size) / size.y;
    let eye = vec3(0.0, 2.2, 5.5);
    let direction = normalize(vec3(p.x, -p.y - 0.45, -1.9));
    let first = trace(eye, direction);
    // The sky is its own light.
    let sky = vec3(0.5, 0.6, 0.75);
    var colour = sky;
    if first.distance < 1e8 {
        var sum = 0.0;
        for (var i = 0u; i < scene.samples; i++) {
            sum += light(eye + first.distance * direction, first.normal);
        }
        colour = first.albedo * (sum / f32(scene.samples));
    }
    let plane = scene.width * scene.height;
    for (var c = 0u; c < 3u; c++) {
        image[c * plane + pixel] = colour[c];
        if scene.guides != 0u {
            image[(3u + c) * plane + pixel] = select(sky, first.albedo, first.distance < 1e8)[c];
            image[(6u + c) * plane + pixel] = first.normal[c];
        }
    }
}
