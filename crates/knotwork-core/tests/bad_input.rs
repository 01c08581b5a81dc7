//! Bad input: one clear error that names the thing and the place, and nothing is half done.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{DType, Device, Dim, Error, FeedError, Graph, HostTensor, Program};

fn program() -> Program {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("batch"), 3.into()]).unwrap();
    let y = g.input("y", DType::F32, [Dim::named("batch")]).unwrap();
    let w = g.parameter("w", HostTensor::zeros(DType::F32, [3])).unwrap();
    let out = x.mul(&w).unwrap().sum(&[1], false).unwrap().add(&y).unwrap();
    let step = g.assign(&w, &w.add(1.0).unwrap()).unwrap();
    Device::cpu().compile(&g, &[&out], &[&step]).unwrap()
}

fn f32s(n: usize, shape: &[usize]) -> HostTensor {
    HostTensor::from_vec(vec![0.0f32; n], shape).unwrap()
}

fn refused(feeds: Vec<(&str, HostTensor)>) -> String {
    let mut p = program();
    let error = p.run(feeds).unwrap_err();
    assert!(matches!(error, Error::Feed(_)), "{error}");
    // No state has changed.
    assert_eq!(p.params().get("w").unwrap(), HostTensor::zeros(DType::F32, [3]));
    error.to_string()
}

#[test]
fn a_missing_feed() {
    assert_eq!(refused(vec![("x", f32s(6, &[2, 3]))]), "input `y` is missing (it takes f32[batch])");
}

#[test]
fn an_extra_feed() {
    let m = refused(vec![("x", f32s(6, &[2, 3])), ("y", f32s(2, &[2])), ("z", f32s(1, &[1]))]);
    assert_eq!(m, "`z` is no input of this program; its inputs are: x, y");
}

#[test]
fn a_feed_given_twice() {
    let m = refused(vec![("x", f32s(6, &[2, 3])), ("x", f32s(6, &[2, 3]))]);
    assert_eq!(m, "input `x` was given twice");
}

#[test]
fn a_wrong_shape() {
    let m = refused(vec![("x", f32s(8, &[2, 4])), ("y", f32s(2, &[2]))]);
    assert_eq!(m, "input `x` takes shape [batch, 3], was given [2, 4]: dimension 1 is 4, not 3");
    let m = refused(vec![("x", f32s(6, &[2, 3])), ("y", f32s(3, &[3]))]);
    assert_eq!(
        m,
        "input `y` takes shape [batch], was given [3]: dimension 0, `batch`, is 3, but another input has 2"
    );
    let m = refused(vec![("x", f32s(6, &[6])), ("y", f32s(3, &[3]))]);
    assert!(m.contains("it has 1 dimensions, not 2"), "{m}");
}

#[test]
fn a_wrong_dtype() {
    let m = refused(vec![("x", HostTensor::zeros(DType::I32, [2, 3])), ("y", f32s(2, &[2]))]);
    assert_eq!(m, "input `x` takes f32, was given i32");
}

#[test]
fn shape_errors_name_op_shapes_file_and_line() {
    let g = Graph::new();
    let a = g.input("a", DType::F32, [4, 5]).unwrap();
    let b = g.input("b", DType::F32, [3]).unwrap();
    let line = line!() + 1;
    let error = a.add(&b).unwrap_err().to_string();
    assert!(error.starts_with("`add` of (f32[4, 5], f32[3]): the shapes do not broadcast"), "{error}");
    assert!(error.ends_with(&format!("bad_input.rs:{line})")), "{error}");
    assert!(a.sum(&[2], false).unwrap_err().to_string().contains("dimension 2 lies outside the rank, 2"));
    assert!(a.reshape([7]).unwrap_err().to_string().contains("[4, 5] has 20 elements, [7] has 7"));
    assert!(a.slice(1, 2, 9).unwrap_err().to_string().contains("2..9 lies outside 0..5"));
}

#[test]
fn dtype_errors_say_what_to_do() {
    let g = Graph::new();
    let a = g.input("a", DType::F32, [4]).unwrap();
    let i = g.input("i", DType::I32, [4]).unwrap();
    assert!(a.add(&i).unwrap_err().to_string().contains("cast one of them"));
    assert!(i.exp().unwrap_err().to_string().contains("it takes floats"));
}

#[test]
fn names_and_graphs() {
    let g = Graph::new();
    let a = g.input("a", DType::F32, [4]).unwrap();
    assert!(g.input("a", DType::F32, [4]).unwrap_err().to_string().contains("the name `a` is taken"));
    let other = Graph::new();
    let b = other.input("b", DType::F32, [4]).unwrap();
    assert!(a.add(&b).unwrap_err().to_string().contains("another graph"));
    assert!(Device::cpu().compile(&g, &[&b], &[]).is_err());
}

#[test]
fn gradients_say_why_there_are_none() {
    let g = Graph::new();
    let a = g.input("a", DType::F32, [4]).unwrap();
    let e = a.grad(&[&a]).unwrap_err().to_string();
    assert!(e.contains("needs a direction"), "{e}");
    // A truth value has no gradient: it is zero, not an error, where only parts of a graph are discrete.
    let picked = a.gt(0.0).unwrap().cast(DType::F32).unwrap().sum(&[0], false).unwrap();
    assert!(picked.grad(&[&a]).is_ok());
}

#[test]
fn parameters_are_set_all_or_none() {
    let p = program();
    let good = HostTensor::new(&[1.0f32, 2.0, 3.0], [3]).unwrap();
    let bad = HostTensor::new(&[1.0f32], [1]).unwrap();
    let e = p.params().set_all([("w", &good), ("v", &good)]).unwrap_err().to_string();
    assert!(e.contains("there is no `v`; there are: w"), "{e}");
    let e = p.params().set("w", &bad).unwrap_err().to_string();
    assert!(e.contains("`w` is f32[3], was given f32[1]"), "{e}");
    assert_eq!(p.params().get("w").unwrap(), HostTensor::zeros(DType::F32, [3]));
}

#[test]
fn feed_errors_are_typed() {
    let e = program().run([("x", f32s(6, &[2, 3]))]).unwrap_err();
    assert!(matches!(e, Error::Feed(FeedError::Missing { ref name, .. }) if name == "y"));
}

#[test]
fn only_indices_that_are_read_are_checked() {
    let g = Graph::new();
    let logits = g.input("logits", DType::F32, [2, 3]).unwrap();
    let labels = g.input("labels", DType::I32, [4]).unwrap();
    let loss = logits.cross_entropy(&labels.slice(0, 0, 2).unwrap()).unwrap();
    let mut program = Device::cpu().compile(&g, &[&loss], &[]).unwrap();
    let mut run = |labels: [i32; 4]| {
        let labels = HostTensor::new(&labels, [4]).unwrap();
        program.run([("logits", f32s(6, &[2, 3])), ("labels", labels)])?.wait()
    };
    // Labels beyond the slice may be anything: padding often is -100.
    assert!(run([2, 0, -100, 7]).is_ok());
    let e = run([2, 3, 0, 0]).unwrap_err().to_string();
    assert!(e.contains("`labels` holds index 3 at 1, outside 0..3"), "{e}");
}

#[test]
fn casts_to_floats_are_wide_in_a_wide_graph() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [3]).unwrap();
    let y = x
        .gt(0.0)
        .unwrap()
        .cast(DType::F32)
        .unwrap()
        .mul(x.cast(DType::F16).unwrap().cast(DType::F32).unwrap());
    let wide = g.to_f64().unwrap();
    assert_eq!(wide.value(y.unwrap().id()).unwrap().dtype(), DType::F64);
}
