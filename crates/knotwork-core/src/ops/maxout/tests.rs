use crate::{DType, Dim, Graph, ops::testing::*};

#[test]
fn the_largest_of_each_group_and_ties_share() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 6]).unwrap();
    let y = x.maxout(3).unwrap();
    let dx = y.mul(g.tensor(host(&[6.0, 1.0, 2.0, 3.0], &[2, 2])).unwrap()).unwrap();
    let dx = dx.sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap().remove(0);
    let values = [1.0, 5.0, 5.0, -3.0, -1.0, -2.0, 4.0, 4.0, 4.0, 0.0, -1.0, 2.0];
    let got = both(&g, &[&y, &dx], &[("x", host(&values, &[2, 6]))]);
    assert_eq!(got[0], [5.0, -1.0, 4.0, 2.0]);
    let third = f64::from(2.0f32 / 3.0);
    assert_eq!(got[1], [0.0, 3.0, 3.0, 0.0, 1.0, 0.0, third, third, third, 0.0, 0.0, 3.0]);
}

#[test]
fn what_does_not_fit_is_said() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 6]).unwrap();
    let text = x.maxout(4).unwrap_err().to_string();
    assert!(
        text.contains("`maxout` of (f32[2, 6]): pieces is 4; it must divide the last dimension, 6"),
        "{text}"
    );
    assert!(x.maxout(0).unwrap_err().to_string().contains("pieces is 0; it must be at least 1"));
    let scalar = x.sum(&[0, 1], false).unwrap();
    assert!(scalar.maxout(1).unwrap_err().to_string().contains("no dimension to split"));
    let named = g.input("n", DType::F32, [Dim::named("n")]).unwrap();
    assert!(named.maxout(2).unwrap_err().to_string().contains("it must divide the last dimension, n"));
    let whole = g.input("i", DType::I32, [4]).unwrap();
    assert!(whole.maxout(2).unwrap_err().to_string().contains("it takes floats, got i32"));
}
