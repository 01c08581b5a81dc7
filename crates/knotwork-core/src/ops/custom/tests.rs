use super::Custom;
use crate::{
    DType, Device, Graph, Tensor,
    graph::Meta,
    ops::testing::*,
    plan::{Capabilities, PlanOptions},
};

fn scaled(by: f64) -> Custom {
    Custom::new("scaled", move |x, y| {
        y[0].data.iter_mut().zip(&x[0].data).for_each(|(y, x)| *y = by * x);
    })
}

/// The sum and the difference of two inputs.
fn butterfly() -> Custom {
    Custom::new("butterfly", |x, y| {
        for k in 0..x[0].data.len() {
            (y[0].data[k], y[1].data[k]) = (x[0].data[k] + x[1].data[k], x[0].data[k] - x[1].data[k]);
        }
    })
    .shapes(|inputs| match inputs {
        [a, b] if a == b => Ok(vec![a.clone(), b.clone()]),
        [a, b] => Err(format!("both must be alike, not {a} and {b}")),
        _ => Err("it takes two inputs".into()),
    })
    .cpu(|x, y| {
        let [sum, difference] = y else { return };
        for (k, (a, b)) in x[0].iter().zip(x[1]).enumerate() {
            (sum[k], difference[k]) = (a + b, a - b);
        }
    })
    .gradient(|c| {
        Ok(match c.cotangents {
            [Some(s), Some(d)] => vec![Some(s.add(d)?), Some(s.sub(d)?)],
            [Some(s), None] => vec![Some(s.clone()), Some(s.clone())],
            [None, Some(d)] => vec![Some(d.clone()), Some(d.neg()?)],
            _ => vec![None, None],
        })
    })
}

#[test]
fn several_outputs_and_their_gradients() {
    let g = Graph::new();
    let (a, b) = (g.input("a", DType::F32, [3]).unwrap(), g.input("b", DType::F32, [3]).unwrap());
    let y = butterfly().apply(&[&a, &b]).unwrap();
    let feeds = [("a", host(&[1.0, 2.0, 3.0], &[3])), ("b", host(&[0.5, -2.0, 1.0], &[3]))];
    let got = both(&g, &[&y[0], &y[1]], &feeds);
    assert_eq!(got, [[1.5, 0.0, 4.0], [0.5, 4.0, 2.0]]);
    let g = Graph::new();
    let (a, b) = (g.input("a", DType::F64, [3]).unwrap(), g.input("b", DType::F64, [3]).unwrap());
    let y = butterfly().apply(&[&a, &b]).unwrap();
    let y = y[0].square().unwrap().mul(&y[1]).unwrap().sum(&[0], false).unwrap();
    check_gradients(&g, &y, &[(&a, "a"), (&b, "b")], &[("a", wave(&[3], 0.2)), ("b", wave(&[3], 0.8))]);
}

#[test]
fn equal_work_is_done_once_and_other_work_is_not() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2]).unwrap();
    let (twice, again) = (scaled(2.0), scaled(2.0));
    let clone = twice.clone();
    let other = twice.clone().number("n", 1.0);
    let all: Vec<Tensor> = [&twice, &clone, &again, &other].map(|c| c.apply_one(&[&x]).unwrap()).to_vec();
    let outputs: Vec<&Tensor> = all.iter().collect();
    let plan = g.plan(&outputs, &[], &[].into(), &Capabilities::cpu(), PlanOptions::default()).unwrap();
    assert_eq!(plan.steps.len(), 3);
}

#[test]
fn what_does_not_fit_is_said() {
    let g = Graph::new();
    let (x, z) = (g.input("x", DType::F32, [2]).unwrap(), g.input("z", DType::F32, [3]).unwrap());
    let text = butterfly().apply(&[&x, &z]).unwrap_err().to_string();
    assert!(
        text.contains("`butterfly` of (f32[2], f32[3]): both must be alike, not f32[2] and f32[3]"),
        "{text}"
    );
    assert!(butterfly().apply_one(&[&x, &x]).unwrap_err().to_string().contains("exactly one output"));
    assert!(butterfly().apply(&[]).unwrap_err().to_string().contains("`butterfly` was given no inputs"));

    let grad = |op: Custom| {
        let y = op.apply_one(&[&x]).unwrap().sum(&[0], false).unwrap();
        y.grad(&[&x]).unwrap_err().to_string()
    };
    assert!(grad(scaled(2.0)).contains("the custom operation was given no gradient"));
    assert!(grad(scaled(2.0).gradient(|_| Ok(Vec::new()))).contains("gave 0 gradients for 1 inputs"));
    let z2 = z.clone();
    let text = grad(scaled(2.0).gradient(move |_| Ok(vec![Some(z2.clone())])));
    assert!(text.contains("its rule gave f32[3] as the gradient to input 0, which is f32[2]"), "{text}");

    let y = scaled(2.0).apply_one(&[&x]).unwrap();
    let plan = g.plan(&[&y], &[], &[].into(), &Capabilities::portable(), PlanOptions::default());
    assert!(plan.unwrap_err().to_string().contains("it was given no WGSL"), "{y:?}");
}

#[test]
fn a_shape_of_its_own() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [4]).unwrap();
    let pairs = Custom::new("pairs", |x, y| {
        y[0].data.iter_mut().zip(x[0].data.chunks(2)).for_each(|(y, x)| *y = x[0] + x[1]);
    })
    .shapes(|inputs| Ok(vec![Meta::new(inputs[0].dtype, [2usize])]));
    let y = pairs.apply_one(&[&x]).unwrap();
    let mut p = Device::cpu().compile(&g, &[&y], &[]).unwrap();
    let out = p.run([("x", host(&[1.0, 2.0, 3.0, 4.0], &[4]))]).unwrap().wait().unwrap();
    assert_eq!(out[0].to_f64(), [3.0, 7.0]);
}
