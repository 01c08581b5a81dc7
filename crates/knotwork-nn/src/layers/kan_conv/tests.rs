use knotwork_core::{
    DType, Device, Dim, Graph, HostTensor, Tensor,
    ops::Basis,
    plan::{Capabilities, PlanOptions},
};

use super::*;
use crate::{Generator, kan::Base};

fn values(n: usize, seed: u64) -> Vec<f64> {
    Generator::new(seed).uniform(&[n], -1.3, 1.3).unwrap().to_f64()
}

fn host(dtype: DType, values: &[f64], shape: &[usize]) -> HostTensor {
    HostTensor::new(values, shape).unwrap().cast(dtype)
}

/// The layer's definition, place by place and edge by edge, in f64. x is [B, C, size …].
fn definition<const D: usize>(
    layer: &KanConv<D>,
    [coef, base, bias]: [&[f64]; 3],
    x: &[f64],
    batch: usize,
    size: [usize; D],
) -> Vec<f64> {
    let w = layer.window;
    let (wide, high, n) = (layer.inputs / w.groups, layer.outputs / w.groups, layer.basis.count());
    let out: [usize; D] = std::array::from_fn(|d| {
        (size[d] + 2 * w.padding[d] - w.dilation[d] * (w.kernel[d] - 1) - 1) / w.stride[d] + 1
    });
    let places: usize = out.iter().product();
    let plane: usize = size.iter().product();
    let mut y = vec![0.0; batch * layer.outputs * places];
    for (k, y) in y.iter_mut().enumerate() {
        let (b, o, mut rest) = (k / places / layer.outputs, k / places % layer.outputs, k % places);
        let mut p = [0; D];
        for d in (0..D).rev() {
            (p[d], rest) = (rest % out[d], rest / out[d]);
        }
        let (group, column) = (o / high, o % high);
        *y = bias.get(o).copied().unwrap_or(0.0);
        for (tap, at) in w.places().enumerate() {
            // The place in x, or none in the padding, where x is 0.
            let place = (0..D).try_fold(0, |place, d| {
                let q = (p[d] * w.stride[d] + at[d] * w.dilation[d]).checked_sub(w.padding[d])?;
                (q < size[d]).then_some(place * size[d] + q)
            });
            for i in 0..wide {
                let x = place.map_or(0.0, |q| x[(b * layer.inputs + group * wide + i) * plane + q]);
                let edge = (group * w.taps() + tap) * wide + i;
                let functions = layer.basis.evaluate(x, 0).unwrap();
                *y += functions
                    .iter()
                    .enumerate()
                    .map(|(m, f)| coef[(edge * n + m) * high + column] * f)
                    .sum::<f64>();
                *y += base.get(edge * high + column).map_or(0.0, |w| w * layer.base.value(x));
            }
        }
    }
    y
}

/// The layer on the CPU against its definition, and its gradients against central differences, in f64.
fn check<const D: usize>(builder: impl Fn(&Graph) -> KanConvBuilder<D>, size: [usize; D]) {
    let batch = 2;
    for dtype in [DType::F64, DType::F32] {
        let g = Graph::new();
        let layer = builder(&g).bias(true).dtype(dtype).spline_scale(0.7).build().unwrap();
        let shape: Vec<usize> = [batch, layer.inputs].into_iter().chain(size).collect();
        let count: usize = shape.iter().product();
        let given = host(dtype, &values(count, 3), &shape);
        let x = g.parameter("x", given.clone()).unwrap();
        let y = layer.forward(&x).unwrap();
        // A loss that no symmetry hides: each output with a weight of its own.
        let out = y.shape().fixed().unwrap();
        let weights = host(dtype, &values(out.iter().product(), 5), &out);
        let all: Vec<isize> = (0..out.len() as isize).collect();
        let loss = y.mul(g.tensor(weights).unwrap()).unwrap().sum(&all, false).unwrap();
        let wanted: Vec<&Tensor> = std::iter::once(&x).chain(layer.parameters()).collect();
        let gradients = loss.grad(&wanted).unwrap();
        let outputs: Vec<&Tensor> = [&y, &loss].into_iter().chain(&gradients).collect();
        let mut program = Device::cpu().compile(&g, &outputs, &[]).unwrap();
        let feeds: [(&str, HostTensor); 0] = [];
        let names: Vec<String> = std::iter::once("x".into())
            .chain(["coef", "base", "bias"].map(|n| format!("{}.{n}", layer.name)))
            .filter(|n| n != "l.base" || layer.base_weight.is_some())
            .collect();
        // A bias that is not 0 shows in the output.
        program.params().set("l.bias", &host(dtype, &values(layer.outputs, 9), &[layer.outputs])).unwrap();
        let got: Vec<Vec<f64>> =
            program.run(feeds.clone()).unwrap().wait().unwrap().iter().map(HostTensor::to_f64).collect();
        let read = |name: &str| program.params().get(name).map(|t| t.to_f64()).unwrap_or_default();
        let (coef, base, bias) = (read("l.coef"), read("l.base"), read("l.bias"));
        let want = definition(&layer, [&coef, &base, &bias], &given.to_f64(), batch, size);
        assert_eq!(got[0].len(), want.len());
        let tolerance = if dtype == DType::F64 { 1e-12 } else { 2e-5 };
        for (k, (a, b)) in got[0].iter().zip(&want).enumerate() {
            assert!(
                (a - b).abs() <= tolerance * b.abs().max(1.0),
                "{layer}: y[{k}] is {a}, by definition {b}"
            );
        }
        if dtype != DType::F64 {
            continue;
        }
        // The slope along a direction in which every element takes part.
        for (name, gradient) in names.iter().zip(&got[2..]) {
            let at = program.params().get(name).unwrap();
            let direction = values(gradient.len(), 17);
            let slope: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
            let h = 1e-6;
            let mut moved = |h: f64| {
                let to: Vec<f64> = at.to_f64().iter().zip(&direction).map(|(v, d)| v + h * d).collect();
                program.params().set(name, &host(dtype, &to, at.shape())).unwrap();
                program.run(feeds.clone()).unwrap().wait().unwrap()[1].item::<f64>().unwrap()
            };
            let difference = (moved(h) - moved(-h)) / (2.0 * h);
            moved(0.0);
            assert!(
                (slope - difference).abs() <= 1e-6 * slope.abs().max(1.0),
                "{layer}: along {name} the slope is {slope}, by differences {difference}"
            );
        }
    }
}

#[test]
fn images_and_sequences_by_every_way_to_walk_them() {
    check(|g| KanConv1d::new(g, "l", 2, 3, 3), [7]);
    check(|g| KanConv1d::new(g, "l", 2, 4, 3).stride(2).padding(2).dilation(2).groups(2), [8]);
    check(|g| KanConv2d::new(g, "l", 2, 3, 1), [3, 2]);
    check(|g| KanConv2d::new(g, "l", 2, 3, [2, 3]).padding([1, 0]), [4, 5]);
    check(|g| KanConv2d::new(g, "l", 4, 6, 3).stride([2, 3]).padding([1, 2]).groups(2), [5, 6]);
    check(|g| KanConv2d::new(g, "l", 3, 3, 2).dilation([1, 3]).padding(1).groups(3), [4, 5]);
    // Strides over elements that no tap meets, and over more than there is behind the last place.
    check(|g| KanConv2d::new(g, "l", 1, 2, [1, 2]).stride([4, 3]), [6, 5]);
}

#[test]
fn every_basis_and_base() {
    let bases = [
        Basis::bspline(4, 2, (-1.0, 1.0)).unwrap(),
        Basis::rbf(5, (-1.0, 1.0), None).unwrap(),
        Basis::chebyshev(4).unwrap(),
        Basis::legendre(3).unwrap(),
        Basis::jacobi(3, 0.5, 1.0).unwrap(),
        Basis::hermite(3).unwrap(),
        Basis::fourier(2).unwrap(),
        Basis::relu_kan(4, 2).unwrap(),
        Basis::bernstein(3).unwrap(),
    ];
    for basis in bases {
        check(|g| KanConv2d::new(g, "l", 2, 2, 2).padding(1).basis(basis), [3, 3]);
    }
    // A padded place is worth φ(0), also where β(0) is not 0.
    for base in ["none", "identity", "sigmoid"] {
        let base: Base = base.parse().unwrap();
        check(|g| KanConv1d::new(g, "l", 2, 2, 3).padding(2).base(base), [4]);
    }
    use knotwork_core::ops::Outside;
    for outside in [Outside::Clamp, Outside::Linear] {
        check(|g| KanConv1d::new(g, "l", 2, 2, 2).outside(outside).stride(2), [5]);
    }
}

/// The largest sum of values that are alive at once with so many taps, without coefficients, copies of them and their
/// gradients; of a step of training, or of y alone.
fn peak(kernel: usize, training: bool, capabilities: &Capabilities) -> usize {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [8, 4, 64]).unwrap();
    let w = g.parameter("w", HostTensor::zeros(DType::F32, [1, 4, 1])).unwrap();
    let layer = KanConv1d::new(&g, "l", 4, 4, kernel).padding(kernel / 2).build().unwrap();
    // As inside a network: x is computed, and its gradient is wanted.
    let y = layer.forward(&x.mul(&w).unwrap()).unwrap();
    let loss = y.tanh().unwrap().square().unwrap().mean(&[0, 1, 2], false).unwrap();
    let wanted: Vec<&Tensor> = std::iter::once(&w).chain(layer.parameters()).collect();
    let d = if training { loss.grad(&wanted).unwrap() } else { Vec::new() };
    let outputs: Vec<&Tensor> = if training { std::iter::once(&loss).chain(&d).collect() } else { vec![&y] };
    let plan = g.plan(&outputs, &[], &[].into(), capabilities, PlanOptions::default()).unwrap();
    let coefficients: usize =
        layer.parameters().iter().map(|p| 4 * p.shape().fixed().unwrap().iter().product::<usize>()).sum();
    plan.live_peak.saturating_sub(if training { 3 } else { 1 } * coefficients)
}

#[test]
fn no_unfolded_x_is_in_memory() {
    // x, y and what one tap sees have about 8 KiB each.
    for capabilities in [Capabilities::cpu(), Capabilities::portable()] {
        let (few, many) = (peak(3, false, &capabilities), peak(31, false, &capabilities));
        assert!(many < few + (8 << 10), "{few} bytes with 3 taps, {many} with 31");
        // Gradients to x of up to so many taps as one kernel adds wait for it, whatever their number.
        let (few, many) = (peak(15, true, &capabilities), peak(31, true, &capabilities));
        assert!(many < few + (16 << 10), "in training {few} bytes with 15 taps, {many} with 31");
    }
}

#[test]
fn the_batch_may_have_a_name() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("batch"), 2.into(), 5.into(), 6.into()]).unwrap();
    let y = KanConv2d::new(&g, "l", 2, 3, 3).stride(2).padding(1).build().unwrap().forward(&x).unwrap();
    assert_eq!(y.shape().to_string(), "[batch, 3, 3, 3]");
    let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
    for n in [1, 3] {
        let out = program.run([("x", HostTensor::zeros(DType::F32, [n, 2, 5, 6]))]).unwrap().wait().unwrap();
        assert_eq!(out[0].shape(), [n, 3, 3, 3]);
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let g = Graph::new();
    let text = |b: KanConvBuilder<2>| b.build().unwrap_err().to_string();
    let of = |inputs, outputs, kernel: usize| KanConv2d::new(&g, "c", inputs, outputs, kernel);
    assert!(
        text(of(0, 2, 3)).starts_with("KanConv2d `c`: 0 channels in, 2 out; both must be at least 1 (at ")
    );
    assert!(text(of(2, 2, 0)).contains("the kernel is [0, 0]; all must be at least 1"));
    assert!(text(of(2, 2, 3).stride([1, 0])).contains("the stride is [1, 0]"));
    assert!(text(of(2, 2, 3).dilation(0)).contains("the dilation is [0, 0]"));
    assert!(text(of(4, 6, 3).groups(4)).contains("4 groups; they must divide 4 channels in and 6 out"));
    assert!(text(of(4, 6, 3).groups(0)).contains("0 groups"));
    assert!(text(of(2, 2, 3).grid(0)).contains("grid is 0"));
    assert!(text(of(2, 2, 3).order(99)).contains("order is 99"));
    assert!(text(of(2, 2, 3).range(1, 1)).contains("range"));
    assert!(text(of(2, 2, 3).spline_scale(f64::NAN)).contains("the spline scale is NaN"));
    assert!(text(of(2, 2, 3).dtype(DType::I32)).contains("the type is i32"));
    assert!(g.is_empty(), "nothing was added to the graph");
    let layer = of(2, 2, 3).dilation(2).build().unwrap();
    assert!(text(of(2, 2, 3)).contains("taken"));
    let x = |name: &str, dtype, shape: &[usize]| g.input(name, dtype, shape).unwrap();
    let text = |x: &Tensor| layer.forward(x).unwrap_err().to_string();
    assert!(text(&x("a", DType::F32, &[2, 8, 8])).contains("x is f32[2, 8, 8]; it must be [B, C, H, W]"));
    assert!(text(&x("b", DType::F32, &[2, 3, 8, 8])).contains("its dimension 1 must be the 2 channels"));
    assert!(text(&x("c", DType::F64, &[2, 2, 8, 8])).contains("x is f64[2, 2, 8, 8], the layer is f32"));
    let small = text(&x("d", DType::F32, &[2, 2, 8, 4]));
    assert!(small.contains(
        "along dimension 3 the kernel reaches over 5 elements (3 with dilation 2), the padded x has only 4"
    ));
    let named = g.input("e", DType::F32, [1.into(), 2.into(), Dim::named("h"), 9.into()]).unwrap();
    assert!(text(&named).contains("only its batch may have a name"));
}
