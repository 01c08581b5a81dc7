#![allow(clippy::unwrap_used)]

use crate::{
    DType, Graph,
    ops::{
        Conv2d,
        testing::{both, check_gradients, host, wave},
    },
};

#[test]
fn padding_stride_and_dilation_move_the_window() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [1, 1, 1, 5]).unwrap();
    let w = g.input("w", DType::F32, [1, 1, 1, 2]).unwrap();
    let y = x.conv2d(&w, None, &Conv2d::new().stride(2).padding([0, 1]).dilation(3)).unwrap();
    let feeds =
        [("x", host(&[1.0, 2.0, 3.0, 4.0, 5.0], &[1, 1, 1, 5])), ("w", host(&[1.0, 10.0], &[1, 1, 1, 2]))];
    // Positions −1 and 2, 1 and 4.
    assert_eq!(both(&g, &[&y], &feeds)[0], [30.0, 52.0]);
}

#[test]
fn gradients_hold_with_groups() {
    let g = Graph::new();
    let x = g.input("x", DType::F64, [2, 4, 5, 4]).unwrap();
    let w = g.input("w", DType::F64, [6, 2, 3, 2]).unwrap();
    let options = Conv2d::new().groups(2).stride([2, 1]).padding(1).dilation([1, 2]);
    let y = x.conv2d(&w, None, &options).unwrap().square().unwrap().sum(&[0, 1, 2, 3], false).unwrap();
    let feeds = [("x", wave(&[2, 4, 5, 4], 0.1)), ("w", wave(&[6, 2, 3, 2], 0.7))];
    check_gradients(&g, &y, &[(&x, "x"), (&w, "w")], &feeds);
}

#[test]
fn bad_options_are_named() {
    let refused = |x: [usize; 4], w: [usize; 4], o: Conv2d| {
        let g = Graph::new();
        let x = g.input("x", DType::F32, x).unwrap();
        let w = g.input("w", DType::F32, w).unwrap();
        x.conv2d(&w, None, &o).unwrap_err().to_string()
    };
    let plain = Conv2d::new();
    for (text, wanted) in [
        (refused([1, 4, 3, 3], [2, 4, 1, 1], plain.stride(0)), "the stride is [0, 0]; it must be at least 1"),
        (refused([1, 4, 3, 3], [2, 4, 1, 1], plain.dilation([1, 0])), "the dilation is [1, 0]"),
        (refused([1, 4, 3, 3], [3, 4, 1, 1], plain.groups(3)), "3 groups do not divide the 4 channels of x"),
        (
            refused([1, 4, 3, 3], [3, 2, 1, 1], plain.groups(2)),
            "2 groups do not divide the 3 channels of the weight",
        ),
        (refused([1, 4, 3, 3], [2, 4, 1, 1], plain.groups(0)), "0 groups"),
        (refused([1, 4, 3, 3], [2, 3, 1, 1], plain), "the weight takes 3 channels a group; x has 4"),
        (refused([1, 4, 3, 3], [2, 4, 3, 3], plain.dilation(2)), "reaches over 5 elements"),
        (refused([1, 4, 3, 3], [2, 4, 0, 3], plain), "at least 1"),
    ] {
        assert!(text.contains(wanted), "{text}");
    }
}
