use crate::{DType, Graph, HostTensor, Tensor, ops::testing::*};

#[test]
fn rows_are_added_where_their_indices_say() {
    let g = Graph::new();
    let (x, i) = (g.input("x", DType::F32, [4, 2]).unwrap(), g.input("i", DType::U32, [4]).unwrap());
    let y = x.scatter_add_rows(&i, 3).unwrap();
    let weights = g.tensor(host(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[3, 2])).unwrap();
    let d = y.mul(&weights).unwrap().sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap().remove(0);
    let feeds = [
        ("x", host(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &[4, 2])),
        ("i", HostTensor::new(&[2u32, 0, 2, 2], [4]).unwrap()),
    ];
    let got = both(&g, &[&y, &d], &feeds);
    assert_eq!(got[0], [3.0, 4.0, 0.0, 0.0, 13.0, 16.0]);
    assert_eq!(got[1], [5.0, 6.0, 1.0, 2.0, 5.0, 6.0, 5.0, 6.0]);
}

#[test]
fn a_row_that_many_share_keeps_its_digits() {
    let g = Graph::new();
    let n = 100_000;
    let (x, i) = (g.input("x", DType::F32, [n, 2]).unwrap(), g.input("i", DType::I32, [n]).unwrap());
    let feeds = [
        ("x", HostTensor::from_vec(vec![0.1f32; 2 * n], [n, 2]).unwrap()),
        ("i", HostTensor::from_vec(vec![1i32; n], [n]).unwrap()),
    ];
    // `both` compares with f64 within 2e-6; a plain sum in f32 would be off by 1e-3.
    both(&g, &[&x.scatter_add_rows(&i, 3).unwrap()], &feeds);
}

#[test]
fn what_does_not_fit_is_said() {
    let g = Graph::new();
    let (x, i) = (g.input("x", DType::F32, [4, 2]).unwrap(), g.input("i", DType::I32, [4]).unwrap());
    let text = x.scatter_add_rows(&g.input("j", DType::I32, [3]).unwrap(), 3).unwrap_err().to_string();
    assert!(
        text.contains("`scatter_add_rows` of (f32[4, 2], i32[3]): the shapes must be [..., D] and [...], not [4, 2] and [3]"),
        "{text}"
    );
    assert!(
        x.scatter_add_rows(&i, 0).unwrap_err().to_string().contains("rows is 0: there is no row to add to")
    );
    let say = |a: &Tensor, b: &Tensor| a.scatter_add_rows(b, 3).unwrap_err().to_string();
    assert!(say(&x, &x).contains("the index is f32; it takes i32 or u32"));
    assert!(say(&i, &i).contains("x is i32; it adds f32 or f64"));
}
