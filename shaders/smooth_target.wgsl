// q[b, c] = `high` at the class of row b, `low` elsewhere. An index outside 0..classes is clamped and counted.
#import shared/grid

struct Params {
    rows: u32,
    classes: u32,
    high: f32,
    low: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
#if unsigned
@group(0) @binding(1) var<storage, read> targets: array<u32>;
#else
@group(0) @binding(1) var<storage, read> targets: array<i32>;
#endif
@group(0) @binding(2) var<storage, read_write> q: array<f32>;
@group(0) @binding(3) var<storage, read_write> status: array<atomic<u32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, 256u);
    if at >= params.rows * params.classes {
        return;
    }
    let column = at % params.classes;
    // A negative index is a large one.
    var chosen = u32(targets[at / params.classes]);
    if chosen >= params.classes {
        if column == 0u {
            atomicAdd(&status[0], 1u);
        }
        chosen = params.classes - 1u;
    }
    q[at] = select(params.low, params.high, column == chosen);
}
