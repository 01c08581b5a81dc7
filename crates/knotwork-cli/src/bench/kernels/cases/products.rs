//! Matrix products by shape class, convolutions, the Hadamard transform.

use knotwork::{Result, Tensor, ops::Conv2d, prelude::DType};

use super::{
    super::case::{Case, Fill, Maker, Size},
    by,
};

/// Matrix products and what is built like them.
pub fn cases(size: Size) -> Vec<Case> {
    let mut all = Vec::new();
    for n in size.of([[16, 24], [256, 1024], [1024, 4096]]) {
        all.push(product(n.to_string(), [n, n, n]));
    }
    let shapes = [
        // Rows that are few, one, prime; a long contraction (split-K).
        size.of([[4, 32, 48], [16, 1024, 1024], [16, 8192, 8192]]),
        size.of([[1, 32, 48], [1, 1024, 1024], [1, 8192, 8192]]),
        size.of([[32, 48, 1], [1024, 1024, 1], [8192, 8192, 1]]),
        size.of([[17, 23, 13], [251, 257, 263], [2039, 2053, 2063]]),
        size.of([[8, 200, 8], [64, 16384, 64], [128, 262_144, 128]]),
    ];
    all.extend(shapes.map(|shape| product(by(&shape), shape)));
    let [b, n] = size.of([[2, 9], [16, 128], [64, 512]]);
    all.push(Case::new(format!("matmul/batched_{b}x{n}"), move |g| {
        Ok(vec![g.x(&[b, n, n])?.matmul(&g.x(&[b, n, n])?)?])
    }));
    let n = size.of([20, 512, 2048]);
    all.push(Case::new(format!("matmul/transposed_a_{n}"), move |g| {
        Ok(vec![g.x(&[n, n])?.transpose(0, 1)?.matmul(&g.x(&[n, n])?)?])
    }));
    all.push(Case::new(format!("matmul/transposed_b_{n}"), move |g| {
        Ok(vec![g.x(&[n, n])?.matmul(&g.x(&[n, n])?.transpose(0, 1)?)?])
    }));
    all.push(Case::new(format!("matmul/stored_f16_{n}"), move |g| {
        // Stored in 16 bits, multiplied in 32.
        let mut half = || g.filled(DType::F16, &[n, n], Fill::Uniform(-1.0, 1.0))?.cast(DType::F32);
        Ok(vec![half()?.matmul(&half()?)?.cast(DType::F16)?])
    }));
    all.push(Case::new(format!("matmul/f16_{n}"), move |g| {
        // Multiplied in 16 bits, by cooperative matrices where there are some, and summed in 32.
        let mut half = || g.filled(DType::F16, &[n, n], Fill::Uniform(-1.0, 1.0));
        Ok(vec![half()?.matmul_wide(&half()?)?])
    }));
    all.push(Case::new(format!("matmul/int8_{n}"), move |g| {
        let mut words = || g.filled(DType::U32, &[n, n / 4], Fill::Index(1 << 30));
        let (a, b) = (words()?, words()?);
        Ok(vec![a.matmul_int8(&b, &g.x(&[n])?, &g.x(&[n])?)?])
    }));
    all.push(Case::new(format!("matmul/bias_gelu_residual_{n}"), move |g| {
        let (x, w, b) = (g.x(&[n, n])?, g.x(&[n, n])?, g.x(&[n])?);
        Ok(vec![x.matmul(&w)?.add(&b)?.gelu()?.add(&x)?])
    }));
    all.extend(convolutions(size));
    let [rows, n] = size.of([[3, 16], [1024, 1024], [16384, 4096]]);
    all.push(Case::new(format!("hadamard_transform/{rows}x{n}"), move |g| {
        Ok(vec![g.x(&[rows, n])?.hadamard_transform()?])
    }));
    all
}

fn product(name: String, [m, k, n]: [usize; 3]) -> Case {
    Case::new(format!("matmul/{name}"), move |g| Ok(vec![g.x(&[m, k])?.matmul(&g.x(&[k, n])?)?]))
}

/// A convolution: images, channels of x and of y, height and width, groups; its window and stride.
#[derive(Clone, Copy)]
struct Convolution {
    sizes: [usize; 5],
    window: usize,
    stride: usize,
}

impl Convolution {
    /// y, x and the weight.
    fn make(self, g: &mut Maker) -> Result<[Tensor; 3]> {
        let [b, c, o, side, groups] = self.sizes;
        let (x, w) = (g.x(&[b, c, side, side])?, g.x(&[o, c / groups, self.window, self.window])?);
        let options = Conv2d::new().padding(self.window / 2).stride(self.stride).groups(groups);
        Ok([x.conv2d(&w, None, &options)?, x, w])
    }
}

fn convolutions(size: Size) -> Vec<Case> {
    let usual = size.of([[1, 3, 4, 8, 1], [4, 32, 64, 28, 1], [32, 64, 64, 56, 1]]);
    let depthwise = size.of([[1, 4, 4, 8, 4], [4, 64, 64, 28, 64], [32, 256, 256, 56, 256]]);
    let strided = size.of([[1, 3, 4, 9, 1], [4, 3, 32, 64, 1], [32, 3, 64, 224, 1]]);
    let single = size.of([[1, 5, 4, 6, 1], [4, 64, 64, 28, 1], [32, 256, 64, 56, 1]]);
    let kinds = [
        ("3x3", usual, 3, 1),
        ("1x1", single, 1, 1),
        ("depthwise", depthwise, 3, 1),
        ("stride2", strided, 3, 2),
    ];
    let mut all = Vec::new();
    for (what, sizes, window, stride) in kinds {
        let it = Convolution { sizes, window, stride };
        let name = by(&sizes[..4]);
        all.push(Case::new(format!("conv2d/{what}_{name}"), move |g| {
            let [y, ..] = it.make(g)?;
            Ok(vec![y])
        }));
        // The gradients each for themselves: they are different products.
        all.push(Case::new(format!("conv2d/{what}_to_input_{name}"), move |g| {
            let [y, x, _] = it.make(g)?;
            g.gradients(&y, &[&x])
        }));
        all.push(Case::new(format!("conv2d/{what}_to_weight_{name}"), move |g| {
            let [y, _, w] = it.make(g)?;
            g.gradients(&y, &[&w])
        }));
    }
    all
}
