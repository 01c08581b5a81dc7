// The product by cooperative matrices, two by two matrices a subgroup: for small shapes. See `parts`.
#import matmul/cooperative/parts

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32, @builtin(subgroup_id) subgroup: u32) {
    let group = linear_group(wid, groups);
    if group >= tiles() * params.batches * params.range.w {
        return;
    }
    let task = task_of(group);
    var c00: MatrixC;
    var c01: MatrixC;
    var c10: MatrixC;
    var c11: MatrixC;
    for (var k0 = task.first; k0 < task.last; k0 += DEPTH) {
        stage(task, k0, local);
        workgroupBarrier();
        if subgroup < 4u {
            for (var k = 0u; k < DEPTH; k += SIZE) {
#if a_by_columns
                let a0 = coopLoad<MatrixA>(&tile_a[place_a(subgroup, 0u, k)], STRIDE_A);
                let a1 = coopLoad<MatrixA>(&tile_a[place_a(subgroup, 1u, k)], STRIDE_A);
#else
                let a0 = coopLoadT<MatrixA>(&tile_a[place_a(subgroup, 0u, k)], STRIDE_A);
                let a1 = coopLoadT<MatrixA>(&tile_a[place_a(subgroup, 1u, k)], STRIDE_A);
#endif
#if b_by_columns
                let b0 = coopLoad<MatrixB>(&tile_b[place_b(subgroup, k, 0u)], STRIDE_B);
                let b1 = coopLoad<MatrixB>(&tile_b[place_b(subgroup, k, 1u)], STRIDE_B);
#else
                let b0 = coopLoadT<MatrixB>(&tile_b[place_b(subgroup, k, 0u)], STRIDE_B);
                let b1 = coopLoadT<MatrixB>(&tile_b[place_b(subgroup, k, 1u)], STRIDE_B);
#endif
                c00 = coopMultiplyAdd(a0, b0, c00);
                c01 = coopMultiplyAdd(a0, b1, c01);
                c10 = coopMultiplyAdd(a1, b0, c10);
                c11 = coopMultiplyAdd(a1, b1, c11);
            }
        }
        workgroupBarrier();
    }
    let own = subgroup * PATCH;
    if subgroup < 4u {
        coopStoreT(c00, &patches[own], SIZE);
    }
    flush(task, 0u, 0u, local);
    if subgroup < 4u {
        coopStoreT(c01, &patches[own], SIZE);
    }
    flush(task, 0u, 1u, local);
    if subgroup < 4u {
        coopStoreT(c10, &patches[own], SIZE);
    }
    flush(task, 1u, 0u, local);
    if subgroup < 4u {
        coopStoreT(c11, &patches[own], SIZE);
    }
    flush(task, 1u, 1u, local);
}
