#![allow(clippy::unwrap_used)]

use super::{
    fast,
    op::{Convolution, Part},
};
use crate::{
    DType, Graph,
    ops::{
        Conv2d, Op, Reference,
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

/// The CPU path of all three products against the loop nest in f64.
fn holds_to_the_reference(x: [usize; 4], w: [usize; 4], options: Conv2d) {
    let reach = |d: usize| (w[d + 2] - 1) * options.dilation[d] + 1;
    let out = [0, 1].map(|d| (x[d + 2] + 2 * options.padding[d] - reach(d)) / options.stride[d] + 1);
    let y = [x[0], w[0], out[0], out[1]];
    let count = |shape: [usize; 4]| shape.iter().product::<usize>();
    let values = |shape: [usize; 4], by: f64| -> Vec<f32> {
        (0..count(shape)).map(|i| (i as f64 * by).sin() as f32).collect()
    };
    let whole = |shape: [usize; 4], data: &[f32]| Reference {
        dtype: DType::F32,
        shape: shape.to_vec(),
        data: data.iter().map(|&v| f64::from(v)).collect(),
    };
    let parts = [
        (Part::Forward, [x, w, y]),
        (Part::Input([x[2], x[3]]), [y, w, x]),
        (Part::Weight([w[2], w[3]]), [x, y, w]),
    ];
    for (part, [a, b, to]) in parts {
        let op = Convolution { part, options };
        let (left, right) = (values(a, 0.7), values(b, 1.3));
        // What was there before is no part of the result.
        let mut got = vec![f32::NAN; count(to)];
        fast::run(part, &op.sizes(&a, &b, &to), &options, &left, &right, &mut got);
        let mut want = [whole(to, &got)];
        op.reference(&[whole(a, &left), whole(b, &right)], &mut want).unwrap();
        let most = want[0].data.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
        for (at, (got, want)) in got.iter().zip(&want[0].data).enumerate() {
            assert!((f64::from(*got) - want).abs() <= 1e-5 * most, "{part:?} at {at}: {got}, not {want}");
        }
    }
}

#[test]
fn several_tiles_parts_and_shares_make_one_result() {
    let plain = Conv2d::new();
    holds_to_the_reference([2, 20, 34, 18], [33, 20, 5, 3], plain.padding([2, 1]));
    holds_to_the_reference(
        [1, 6, 40, 37],
        [40, 3, 3, 4],
        plain.stride([1, 2]).dilation([3, 1]).padding(2).groups(2),
    );
    holds_to_the_reference([3, 40, 9, 17], [34, 40, 1, 1], plain);
    // Padding on whose far side windows begin, and beyond all of the image.
    holds_to_the_reference([1, 2, 3, 3], [2, 2, 2, 2], plain.stride(3).padding(7));
}

#[test]
fn planes_of_their_own_make_one_result() {
    let plain = Conv2d::new();
    holds_to_the_reference([2, 5, 19, 37], [5, 1, 3, 3], plain.padding(1).groups(5));
    holds_to_the_reference([2, 3, 20, 41], [3, 1, 5, 4], plain.padding([0, 3]).stride([2, 3]).groups(3));
    holds_to_the_reference(
        [1, 2, 21, 22],
        [2, 1, 2, 3],
        plain.dilation([4, 5]).stride([1, 2]).padding(2).groups(2),
    );
    holds_to_the_reference([2, 2, 3, 2], [2, 1, 2, 2], plain.stride(5).padding(9).groups(2));
    holds_to_the_reference([2, 2, 9, 4], [2, 1, 1, 1], plain.stride([4, 3]).groups(2));
}

/// A window that reaches far beyond a small image, whose padded plane no memory would hold.
#[test]
fn far_strides_and_dilations_cost_nothing() {
    let far = 1_000_000_000;
    holds_to_the_reference([1, 1, 3, 3], [1, 1, 2, 2], Conv2d::new().stride(far).padding(far));
    holds_to_the_reference([2, 2, 30, 30], [3, 2, 3, 3], Conv2d::new().dilation(far).padding(far));
    holds_to_the_reference([1, 2, 30, 30], [2, 1, 3, 3], Conv2d::new().dilation(far).padding(far).groups(2));
}

#[test]
fn rows_that_fill_vectors_are_summed_where_they_lie() {
    let plain = Conv2d::new();
    // Eight, four and single channels at a time; one, two and three vectors a row.
    holds_to_the_reference([2, 3, 7, 16], [13, 3, 3, 3], plain.padding(1));
    holds_to_the_reference([1, 4, 5, 45], [22, 2, 2, 4], plain.padding([0, 2]).dilation([2, 1]).groups(2));
    holds_to_the_reference([1, 3, 9, 62], [5, 3, 3, 3], plain.stride([2, 2]).padding(1));
    // More channels than one sum takes.
    holds_to_the_reference([1, 37, 4, 15], [9, 37, 3, 3], plain.padding(1));
    // More padding than the weight reaches: the gradient to x is no convolution then.
    holds_to_the_reference([1, 2, 4, 14], [3, 2, 2, 2], plain.padding([1, 3]));
}
