use crate::{DType, Device, Graph, HostTensor, Tensor, ops::testing::*};

fn whole(values: &[i32]) -> HostTensor {
    HostTensor::new(values, [values.len()]).unwrap()
}

fn pattern(g: &Graph, rows: usize, entries: usize) -> (Tensor, Tensor) {
    let indptr = g.input("indptr", DType::I32, [rows + 1]).unwrap();
    (indptr, g.input("indices", DType::I32, [entries]).unwrap())
}

/// An unsorted row with a column that comes twice, and empty rows before and behind.
#[test]
fn products_and_their_gradients() {
    let g = Graph::new();
    let (p, i) = pattern(&g, 3, 3);
    let values = g.input("values", DType::F32, [3]).unwrap();
    let b = g.input("b", DType::F32, [2, 2]).unwrap();
    let y = values.spmm_csr(&p, &i, &b).unwrap();
    let weights = g.tensor(host(&[7.0, 8.0, 1.0, 2.0, 9.0, 9.0], &[3, 2])).unwrap();
    let loss = y.mul(&weights).unwrap().sum(&[0, 1], false).unwrap();
    let d = loss.grad(&[&values, &b]).unwrap();
    let feeds = [
        ("indptr", whole(&[0, 0, 3, 3])),
        ("indices", whole(&[1, 0, 1])),
        ("values", host(&[2.0, 3.0, 4.0], &[3])),
        ("b", host(&[1.0, 2.0, 10.0, 20.0], &[2, 2])),
    ];
    let got = both(&g, &[&y, &d[0], &d[1]], &feeds);
    assert_eq!(got[0], [0.0, 0.0, 63.0, 126.0, 0.0, 0.0]);
    assert_eq!(got[1], [50.0, 5.0, 50.0]);
    assert_eq!(got[2], [3.0, 6.0, 6.0, 12.0]);
}

/// However many terms follow: what a total has rounded off is no number then.
#[test]
fn an_infinity_stays_one() {
    let g = Graph::new();
    let (n, wide) = (40, 200);
    let (p, i) = pattern(&g, 1, n);
    let values = g.input("values", DType::F32, [n]).unwrap();
    let b = g.input("b", DType::F32, [n, 5]).unwrap();
    let a = g.input("a", DType::F32, [1, wide]).unwrap();
    let c = g.input("c", DType::F32, [wide, n]).unwrap();
    let y = values.spmm_csr(&p, &i, &b).unwrap();
    let z = values.spmm_csr_transposed(&p, &i, &b.slice(0, 0, 1).unwrap(), n).unwrap();
    let s = a.sddmm_csr(&p, &i, &c).unwrap();
    let first =
        |count: usize| -> Vec<f64> { (0..count).map(|k| if k == 0 { f64::INFINITY } else { 1.0 }).collect() };
    let feeds = [
        ("indptr", whole(&[0, n as i32])),
        ("indices", whole(&(0..n as i32).collect::<Vec<_>>())),
        ("values", host(&first(n), &[n])),
        ("b", host(&vec![1.0; 5 * n], &[n, 5])),
        ("a", host(&first(wide), &[1, wide])),
        ("c", host(&vec![1.0; wide * n], &[wide, n])),
    ];
    let got = both(&g, &[&y, &z, &s], &feeds);
    assert!(got[0].iter().chain(&got[1][..5]).chain(&got[2]).all(|y| *y == f64::INFINITY), "{got:?}");
    // All entries in one column: the transposed sum is the long one.
    let zeros = whole(&vec![0; n]);
    let feeds = feeds.map(|(name, value)| (name, if name == "indices" { zeros.clone() } else { value }));
    let tall = values.spmm_csr_transposed(&p, &i, &b.slice(0, 0, 1).unwrap(), 1).unwrap();
    assert!(both(&g, &[&tall], &feeds[..4])[0].iter().all(|y| *y == f64::INFINITY));
}

#[test]
fn blocks_are_elements_side_by_side() {
    let g = Graph::new();
    let (p, i) = pattern(&g, 2, 2);
    let values = g.input("values", DType::F32, [2, 2, 2]).unwrap();
    let b = g.input("b", DType::F32, [4, 1]).unwrap();
    let y = values.spmm_bsr(&p, &i, &b).unwrap();
    let z = values.spmm_bsr_transposed(&p, &i, &b, 4).unwrap();
    let s = b.sddmm_bsr(&p, &i, &b.transpose(0, 1).unwrap(), 2).unwrap();
    // [[0, 0, 1, 2], [0, 0, 3, 4], [5, 6, 0, 0], [7, 8, 0, 0]]
    let feeds = [
        ("indptr", whole(&[0, 1, 2])),
        ("indices", whole(&[1, 0])),
        ("values", host(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &[2, 2, 2])),
        ("b", host(&[1.0, 10.0, 100.0, 1000.0], &[4, 1])),
    ];
    let got = both(&g, &[&y, &z, &s], &feeds);
    assert_eq!(got[0], [2100.0, 4300.0, 65.0, 87.0]);
    assert_eq!(got[1], [7500.0, 8600.0, 31.0, 42.0]);
    assert_eq!(got[2], [100.0, 1000.0, 1000.0, 10000.0, 100.0, 1000.0, 1000.0, 10000.0]);
}

#[test]
fn many_entries_take_the_parallel_path_and_keep_their_digits() {
    let g = Graph::new();
    let (rows, k, n, nnz) = (40usize, 30, 65, 4000);
    let (p, i) = pattern(&g, rows, nnz);
    let values = g.input("values", DType::F32, [nnz]).unwrap();
    let (a, b) = (g.input("a", DType::F32, [rows, n]).unwrap(), g.input("b", DType::F32, [k, n]).unwrap());
    let y = values.spmm_csr(&p, &i, &b).unwrap();
    let z = values.spmm_csr_transposed(&p, &i, &a, k).unwrap();
    let s = a.sddmm_csr(&p, &i, &b.transpose(0, 1).unwrap()).unwrap();
    let f = |t: HostTensor| HostTensor::from_f64(DType::F32, &t.to_f64(), t.shape());
    let feeds = [
        ("indptr", whole(&(0..=rows).map(|r| (r * nnz / rows) as i32).collect::<Vec<_>>())),
        ("indices", whole(&(0..nnz).map(|i| (i * 17 % k) as i32).collect::<Vec<_>>())),
        ("values", f(wave(&[nnz], 0.1))),
        ("a", f(wave(&[rows, n], 0.2))),
        ("b", f(wave(&[k, n], 0.3))),
    ];
    both(&g, &[&y, &z, &s], &feeds);
}

#[test]
fn arrays_that_do_not_agree_are_named() {
    let g = Graph::new();
    let (p, i) = pattern(&g, 2, 3);
    let values = g.input("values", DType::F32, [3]).unwrap();
    let b = g.input("b", DType::F32, [4, 5]).unwrap();
    let other = g.input("other", DType::F32, [2]).unwrap();
    let say = |r: crate::Result<Tensor>| r.unwrap_err().to_string();
    let has = |text: String, part: &str| assert!(text.contains(part), "{text}");
    has(
        say(other.spmm_csr(&p, &i, &b)),
        "values is [2], but indices is [3]: there must be a value for each index",
    );
    has(say(values.spmm_csr(&values, &i, &b)), "indptr is f32; it takes i32 or u32");
    has(say(values.spmm_csr(&p, &values, &b)), "indices is f32; it takes i32 or u32");
    has(say(values.spmm_csr(&p, &i, &values)), "b is [3]; it must have two dimensions");
    has(say(values.spmm_csr_transposed(&p, &i, &b, 9)), "b has 4 rows, but indptr of length 3 means 2");
    has(say(b.sddmm_csr(&p, &i, &b)), "a has 4 rows, but indptr of length 3 means 2");
    let a = g.input("a", DType::F32, [2, 3]).unwrap();
    has(say(a.sddmm_csr(&p, &i, &b)), "a has 3 columns, but b has 4 rows: they must agree");
    has(say(a.sddmm_csr(&p, &i, &other)), "b is [2]; it must have two dimensions");
    has(
        say(values.spmm_bsr(&p, &i, &b)),
        "values is [3]; it must be [nblocks, side, side], the side a number",
    );
    let blocks = g.input("blocks", DType::F32, [3, 3, 3]).unwrap();
    has(say(blocks.spmm_bsr(&p, &i, &b)), "b has 4 rows, which is no multiple of the blocks' side 3");
    let empty = g.input("empty", DType::I32, [0]).unwrap();
    has(say(values.spmm_csr(&empty, &i, &b)), "indptr is empty; for M rows it holds M + 1 numbers");
}

#[test]
fn a_broken_pattern_is_said_on_the_cpu() {
    let g = Graph::new();
    let (p, i) = pattern(&g, 2, 3);
    let values = g.input("values", DType::F32, [3]).unwrap();
    let b = g.input("b", DType::F32, [4, 1]).unwrap();
    let y = values.spmm_csr(&p, &i, &b).unwrap();
    let a = g.input("a", DType::F32, [2, 1]).unwrap();
    let z = values.spmm_csr_transposed(&p, &i, &a, 4).unwrap();
    let s = a.sddmm_csr(&p, &i, &b.transpose(0, 1).unwrap()).unwrap();
    for (out, used) in [(&y, ["values", "b"]), (&z, ["values", "a"]), (&s, ["a", "b"])] {
        let mut program = Device::cpu().compile(&g, &[out], &[]).unwrap();
        let mut run = |indptr: &[i32], indices: &[i32], part: &str| {
            let all = [
                ("indptr", whole(indptr)),
                ("indices", whole(indices)),
                ("values", host(&[1.0, 2.0, 3.0], &[3])),
                ("a", host(&[1.0, 2.0], &[2, 1])),
                ("b", host(&[1.0, 2.0, 3.0, 4.0], &[4, 1])),
            ];
            let feeds = all.into_iter().filter(|(n, _)| n.starts_with("ind") || used.contains(n));
            let text = match program.run(feeds) {
                Ok(run) => run.wait().unwrap_err().to_string(),
                Err(error) => error.to_string(),
            };
            assert!(text.contains(part), "{text}");
        };
        run(&[1, 2, 3], &[0, 1, 2], "indptr begins with 1; it must begin with 0");
        run(&[0, 4, 3], &[0, 1, 2], "indptr falls from 4 to 3 at 2; it must not fall");
        run(&[0, 1, 2], &[0, 1, 2], "indptr ends with 2, but indices holds 3 entries");
        run(&[0, 1, 3], &[0, 4, 2], "index 4 at 1, outside 0..4");
    }
}
