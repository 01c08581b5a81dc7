// The columns of a result that a thread of a tile has: four of each of its four rows, in each part of 32. The kernel that imports this
// declares `emit`.

fn emit_row(index: u32, size: u32, local: u32, part: u32, four: vec4<f32>) {
    for (var c = 0u; c < 4u; c++) {
        let column = 4u * (part * DEPTH + local % SIDE) + c;
        if column < size {
            emit(index * size + column, four[c]);
        }
    }
}
