use crate::{DType, Dim, Graph, HostTensor, Tensor, ops::testing::*};

#[test]
fn elements_are_added_where_their_indices_say() {
    let g = Graph::new();
    let (x, i) = (g.input("x", DType::F32, [2, 3]).unwrap(), g.input("i", DType::U32, [2, 3]).unwrap());
    let (rows, columns) = (x.scatter_add(-1, &i, 4).unwrap(), x.scatter_add(0, &i, 3).unwrap());
    let weights = g.tensor(host(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &[2, 4])).unwrap();
    let dx = rows.mul(&weights).unwrap().sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap().remove(0);
    let feeds = [
        ("x", host(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0], &[2, 3])),
        ("i", HostTensor::new(&[2u32, 0, 2, 2, 1, 0], [2, 3]).unwrap()),
    ];
    let got = both(&g, &[&rows, &columns, &dx], &feeds);
    assert_eq!(got[0], [2.0, 0.0, 5.0, 0.0, 32.0, 16.0, 8.0, 0.0]);
    assert_eq!(got[1], [0.0, 2.0, 32.0, 0.0, 16.0, 0.0, 9.0, 0.0, 4.0]);
    assert_eq!(got[2], [3.0, 1.0, 3.0, 7.0, 6.0, 5.0]);
}

#[test]
fn sums_of_many_keep_their_digits() {
    let g = Graph::new();
    let n = 100_000;
    let (x, i) = (g.input("x", DType::F32, [2, n]).unwrap(), g.input("i", DType::I32, [2, n]).unwrap());
    let feeds = [
        ("x", HostTensor::from_vec(vec![0.1f32; 2 * n], [2, n]).unwrap()),
        ("i", HostTensor::from_vec(vec![1i32; 2 * n], [2, n]).unwrap()),
    ];
    both(&g, &[&x.scatter_add(1, &i, 3).unwrap()], &feeds);
}

#[test]
fn a_named_length_is_that_of_the_run() {
    let g = Graph::new();
    let (x, i) = (g.input("x", DType::F32, [3]).unwrap(), g.input("i", DType::I32, [3]).unwrap());
    let like = g.input("like", DType::F32, [Dim::named("n")]).unwrap();
    let y = x.scatter_add(0, &i, Dim::named("n")).unwrap().add(&like).unwrap();
    let feeds = [
        ("x", host(&[1.0, 2.0, 4.0], &[3])),
        ("i", HostTensor::new(&[4i32, 0, 4], [3]).unwrap()),
        ("like", host(&[0.0; 5], &[5])),
    ];
    assert_eq!(both(&g, &[&y], &feeds)[0], [2.0, 0.0, 0.0, 0.0, 5.0]);
}

#[test]
fn what_does_not_fit_is_said() {
    let g = Graph::new();
    let (x, i) = (g.input("x", DType::F32, [2, 3]).unwrap(), g.input("i", DType::I32, [2, 3]).unwrap());
    let short = g.input("s", DType::I32, [2, 2]).unwrap();
    let say = |a: &Tensor, b: &Tensor, n: usize| a.scatter_add(1, b, n).unwrap_err().to_string();
    assert!(say(&x, &short, 3).contains("x is [2, 3] and the index [2, 2]; they must have one shape"));
    assert!(say(&x, &i, 0).contains("length is 0: there is nothing to add to"));
    assert!(say(&x, &x, 3).contains("the index is f32; it takes i32 or u32"));
    assert!(say(&i, &i, 3).contains("x is i32; it adds f32 or f64"));
}
