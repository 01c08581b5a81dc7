// The product by cooperative matrices, four by four matrices a subgroup: the most work for each element that is staged.
// See `parts`.
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
    var c02: MatrixC;
    var c03: MatrixC;
    var c10: MatrixC;
    var c11: MatrixC;
    var c12: MatrixC;
    var c13: MatrixC;
    var c20: MatrixC;
    var c21: MatrixC;
    var c22: MatrixC;
    var c23: MatrixC;
    var c30: MatrixC;
    var c31: MatrixC;
    var c32: MatrixC;
    var c33: MatrixC;
    for (var k0 = task.first; k0 < task.last; k0 += DEPTH) {
        stage(task, k0, local);
        workgroupBarrier();
        if subgroup < 4u {
            for (var k = 0u; k < DEPTH; k += SIZE) {
#if b_by_columns
                let b0 = coopLoad<MatrixB>(&tile_b[place_b(subgroup, k, 0u)], STRIDE_B);
                let b1 = coopLoad<MatrixB>(&tile_b[place_b(subgroup, k, 1u)], STRIDE_B);
                let b2 = coopLoad<MatrixB>(&tile_b[place_b(subgroup, k, 2u)], STRIDE_B);
                let b3 = coopLoad<MatrixB>(&tile_b[place_b(subgroup, k, 3u)], STRIDE_B);
#else
                let b0 = coopLoadT<MatrixB>(&tile_b[place_b(subgroup, k, 0u)], STRIDE_B);
                let b1 = coopLoadT<MatrixB>(&tile_b[place_b(subgroup, k, 1u)], STRIDE_B);
                let b2 = coopLoadT<MatrixB>(&tile_b[place_b(subgroup, k, 2u)], STRIDE_B);
                let b3 = coopLoadT<MatrixB>(&tile_b[place_b(subgroup, k, 3u)], STRIDE_B);
#endif
#if a_by_columns
                let a0 = coopLoad<MatrixA>(&tile_a[place_a(subgroup, 0u, k)], STRIDE_A);
#else
                let a0 = coopLoadT<MatrixA>(&tile_a[place_a(subgroup, 0u, k)], STRIDE_A);
#endif
                c00 = coopMultiplyAdd(a0, b0, c00);
                c01 = coopMultiplyAdd(a0, b1, c01);
                c02 = coopMultiplyAdd(a0, b2, c02);
                c03 = coopMultiplyAdd(a0, b3, c03);
#if a_by_columns
                let a1 = coopLoad<MatrixA>(&tile_a[place_a(subgroup, 1u, k)], STRIDE_A);
#else
                let a1 = coopLoadT<MatrixA>(&tile_a[place_a(subgroup, 1u, k)], STRIDE_A);
#endif
                c10 = coopMultiplyAdd(a1, b0, c10);
                c11 = coopMultiplyAdd(a1, b1, c11);
                c12 = coopMultiplyAdd(a1, b2, c12);
                c13 = coopMultiplyAdd(a1, b3, c13);
#if a_by_columns
                let a2 = coopLoad<MatrixA>(&tile_a[place_a(subgroup, 2u, k)], STRIDE_A);
#else
                let a2 = coopLoadT<MatrixA>(&tile_a[place_a(subgroup, 2u, k)], STRIDE_A);
#endif
                c20 = coopMultiplyAdd(a2, b0, c20);
                c21 = coopMultiplyAdd(a2, b1, c21);
                c22 = coopMultiplyAdd(a2, b2, c22);
                c23 = coopMultiplyAdd(a2, b3, c23);
#if a_by_columns
                let a3 = coopLoad<MatrixA>(&tile_a[place_a(subgroup, 3u, k)], STRIDE_A);
#else
                let a3 = coopLoadT<MatrixA>(&tile_a[place_a(subgroup, 3u, k)], STRIDE_A);
#endif
                c30 = coopMultiplyAdd(a3, b0, c30);
                c31 = coopMultiplyAdd(a3, b1, c31);
                c32 = coopMultiplyAdd(a3, b2, c32);
                c33 = coopMultiplyAdd(a3, b3, c33);
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
        coopStoreT(c02, &patches[own], SIZE);
    }
    flush(task, 0u, 2u, local);
    if subgroup < 4u {
        coopStoreT(c03, &patches[own], SIZE);
    }
    flush(task, 0u, 3u, local);
    if subgroup < 4u {
        coopStoreT(c10, &patches[own], SIZE);
    }
    flush(task, 1u, 0u, local);
    if subgroup < 4u {
        coopStoreT(c11, &patches[own], SIZE);
    }
    flush(task, 1u, 1u, local);
    if subgroup < 4u {
        coopStoreT(c12, &patches[own], SIZE);
    }
    flush(task, 1u, 2u, local);
    if subgroup < 4u {
        coopStoreT(c13, &patches[own], SIZE);
    }
    flush(task, 1u, 3u, local);
    if subgroup < 4u {
        coopStoreT(c20, &patches[own], SIZE);
    }
    flush(task, 2u, 0u, local);
    if subgroup < 4u {
        coopStoreT(c21, &patches[own], SIZE);
    }
    flush(task, 2u, 1u, local);
    if subgroup < 4u {
        coopStoreT(c22, &patches[own], SIZE);
    }
    flush(task, 2u, 2u, local);
    if subgroup < 4u {
        coopStoreT(c23, &patches[own], SIZE);
    }
    flush(task, 2u, 3u, local);
    if subgroup < 4u {
        coopStoreT(c30, &patches[own], SIZE);
    }
    flush(task, 3u, 0u, local);
    if subgroup < 4u {
        coopStoreT(c31, &patches[own], SIZE);
    }
    flush(task, 3u, 1u, local);
    if subgroup < 4u {
        coopStoreT(c32, &patches[own], SIZE);
    }
    flush(task, 3u, 2u, local);
    if subgroup < 4u {
        coopStoreT(c33, &patches[own], SIZE);
    }
    flush(task, 3u, 3u, local);
}
