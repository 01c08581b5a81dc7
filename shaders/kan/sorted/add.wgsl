// P[i, m, o] from the sums of parts of sorted rows (kan/sorted/sums), part after part: of those whose cells have function m.
// A thread makes four outputs of a function; their number is a multiple of 4.
#import shared/grid
#import kan/sorted/lists

const THREADS: u32 = 256u;

@group(0) @binding(1) var<storage, read> order: array<vec2<i32>>;
@group(0) @binding(2) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dc: array<vec4<f32>>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, THREADS);
    let fours = params.outputs / 4u;
    if at >= params.inputs * params.bases * fours {
        return;
    }
    let o = at % fours;
    let m = at / fours % params.bases;
    let i = at / (fours * params.bases);
    var sum = vec4<f32>();
    let blocks = kan_blocks();
    for (var block = 0u; block < blocks; block++) {
        for (var part = 0u; part < params.parts; part++) {
            let list = kan_list(i, block, part);
            if list.first < list.last {
                let lowest = kan_start(order[list.first].y);
                let highest = kan_start(order[list.last - 1u].y) + KAN_ORDER;
                if lowest <= m && m <= highest {
                    sum += sums[(list.to + m) * fours + o];
                }
                // A NaN, sorted last, belongs to every function of its input.
                if list.last == list.end && order[list.last - 1u].y == KAN_NAN_CELL {
                    sum += vec4<f32>(kw_nan());
                }
            }
        }
    }
    dc[at] = sum;
}
