// The backward pass' number of a query: the mean of its weights' cotangents, each counted by how its weight follows its
// score. For softmax that is the product of the output and its cotangent. A workgroup finds it together.
#import attention/backward
#import attention/trees

fn mean_of_row(at: Place, local: u32, row: Row) -> f32 {
    var total = 0.0;
    var slopes = 0.0;
    for (var key = local; key < params.keys; key += THREADS) {
        if !is_allowed(at, key) {
            continue;
        }
        let score = score_of(at, key).value;
        if is_kept(score, row) {
            let slope = weight_of(score, row).slope;
            slopes += slope;
            total += slope * cotangent_times_value(at, key);
        }
    }
    total = sum_of_all(local, total);
    slopes = sum_of_all(local, slopes);
    return select(total / slopes, 0.0, slopes == 0.0);
}
