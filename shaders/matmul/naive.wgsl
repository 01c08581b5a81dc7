// c[b, m, n] = sum_k a[b, m, k] b[b, k, n], a thread an output and nothing staged: what every other variant is held against.
// Ranges of K and `accumulate`: as in `matmul`.
#import shared/grid
#import matmul/operands

const SIDE: u32 = 8u;

@compute @workgroup_size(SIDE, SIDE)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_id) id: vec3<u32>) {
    let group = linear_group(wid, groups);
    let across = (params.n + SIDE - 1u) / SIDE;
    let tiles = across * ((params.m + SIDE - 1u) / SIDE);
    let matrix = group / tiles;
    let in_matrix = group % tiles;
    let tile = tile_of(matrix, in_matrix / across * SIDE + id.y, in_matrix % across * SIDE + id.x);
    if matrix >= params.batches * params.range.w || tile.row >= params.m || tile.column >= params.n {
        return;
    }
    var sum = 0.0;
    for (var k = tile.first; k < tile.last; k++) {
        let x = load_a(tile.at_a + tile.row * params.a.y + k * params.a.z);
        sum = fma(x, load_b(tile.at_b + k * params.b.y + tile.column * params.b.z), sum);
    }
    emit((matrix * params.m + tile.row) * params.n + tile.column, sum);
}
