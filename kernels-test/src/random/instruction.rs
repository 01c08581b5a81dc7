//! One step of making a random graph.

use knotwork::{
    DType, HostTensor, Result, Tensor,
    ops::{Attention, Conv2d, Mask},
};

/// Numbers that choose operands, dimensions and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick(pub u16, pub u16, pub u16);

/// An operation on values that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Which operation: an index into the table, modulo its length.
    pub what: u16,
    /// Which operands and attributes.
    pub pick: Pick,
}

type Make = fn(&Tensor, &Tensor, Pick) -> Result<Tensor>;

/// What graphs are made of. Growing functions take bounded arguments, so that values stay small; functions that jump
/// (comparisons, ties) take arguments that a rounding does not carry across.
const TABLE: &[Make] = &[
    |a, _, _| a.tanh(),
    |a, _, _| a.sigmoid(),
    |a, _, _| a.silu(),
    |a, _, _| a.gelu(),
    |a, _, _| a.add(0.05)?.relu(),
    |a, _, _| a.tanh()?.exp(),
    |a, _, _| a.neg(),
    |a, _, _| a.tanh()?.square(),
    |a, _, _| a.sigmoid()?.sqrt(),
    |a, _, _| a.add(0.03)?.abs(),
    |a, _, _| a.mul(0.7)?.sub(0.2),
    |a, b, _| a.add(b),
    |a, b, _| a.sub(b),
    |a, b, _| a.tanh()?.mul(&b.tanh()?),
    |a, b, _| a.tanh()?.div(&b.sigmoid()?.add(0.5)?),
    |a, b, _| a.maximum(&b.add(0.01)?),
    |a, b, _| a.select(&b.gt(0.017)?, 0.5),
    |a, _, p| a.transpose(dim(a, p.0), dim(a, p.1)),
    |a, _, _| a.reshape([a.shape().fixed().map_or(0, |s| s.iter().product::<usize>())]),
    |a, _, p| a.reshape(split(a, p)),
    |a, _, p| {
        a.slice(dim(a, p.0), from(a, p), from(a, p) + 1 + usize::from(p.2) % (length(a, p) - from(a, p)))
    },
    |a, _, p| a.unsqueeze(usize::from(p.0) % (a.rank() + 1)),
    |a, _, p| a.unsqueeze(0)?.broadcast_to([vec![2 + usize::from(p.0 % 2)], sizes(a)].concat()),
    |a, _, p| a.pad(dim(a, p.0), usize::from(p.1 % 3), usize::from(p.2 % 3)),
    |a, _, p| a.sum(&[dim(a, p.0)], p.1 % 2 == 0)?.mul(0.3),
    |a, _, p| a.mean(&[dim(a, p.0)], p.1 % 2 == 0),
    |a, _, p| a.mean(&[dim(a, p.0), dim(a, p.2)], p.1 % 2 == 0),
    |a, _, p| a.max(&[dim(a, p.0)], p.1 % 2 == 0),
    |a, b, _| a.tanh()?.matmul(&b.tanh()?),
    |a, b, _| a.tanh()?.matmul(&b.tanh()?.transpose(-2, -1)?),
    |a, _, p| a.softmax(dim(a, p.0)),
    |a, _, p| a.log_softmax(dim(a, p.0)),
    |a, b, _| a.mse_loss(b),
    |a, _, _| a.detach(),
    |a, _, _| a.cast(DType::F32),
    // Operations whose kernels take steps in.
    |a, b, _| a.layer_norm(None, None, 1e-2)?.mul(&b.sigmoid()?),
    |a, b, _| a.tanh()?.rms_norm(None, 1e-2)?.add(b),
    |a, _, p| a.tanh()?.cumsum(dim(a, p.0))?.mul(0.2),
    |a, _, _| {
        let (w, b) = (grid(5, sizes(a).last().copied().unwrap_or(1))?, ramp(5)?);
        let y = a.tanh()?.linear(&a.graph().tensor(w)?, Some(&a.graph().tensor(b)?))?.gelu()?;
        y.slice(-1, 0, 3)?.transpose(0, -1)
    },
    |a, b, p| {
        // Rows of three and of two elements as images of one channel.
        let n = sizes(a).iter().product::<usize>() / 6;
        if n == 0 {
            return a.silu();
        }
        let x = a.reshape([a.shape().fixed().map_or(0, |s| s.iter().product::<usize>())])?;
        let x = x.slice(0, 0, 6 * n)?.tanh()?.reshape([n, 1, 3, 2])?;
        let w = a.graph().tensor(grid(2, 4)?)?.reshape([2, 1, 2, 2])?;
        let y = x.conv2d(&w, None, &Conv2d::new().padding(usize::from(p.1 % 2)))?.silu()?;
        y.sum(&[1], false)?.mean(&[0], false)?.mul(&b.mean(&[0], true)?.mean(&[-1], true)?)
    },
    |a, b, _| {
        let last = |t: &Tensor| sizes(t).last().copied().unwrap_or(1);
        let heads = |t: &Tensor| -> Result<Tensor> {
            let rows = sizes(t).iter().product::<usize>() / last(t).max(1);
            t.tanh()?.reshape([1, 1, rows, last(t)])
        };
        let y = heads(a)?.attention(&heads(b)?, &heads(b)?, &Attention::new().mask(Mask::causal()))?;
        y.add(0.1)?.reshape(sizes(a))
    },
    // Other element types on the way.
    |a, b, _| a.gt(0.017)?.cast(DType::I32)?.add(&b.gt(0.031)?.cast(DType::I32)?)?.cast(DType::F32),
    |a, b, _| a.select(&b.gt(0.017)?.cast(DType::U32)?.cast(DType::F32)?.gt(0.5)?, &b.neg()?),
    // Sorts by keys so far from each other that no rounding exchanges two.
    |a, _, p| Ok(keys(a)?.sort(-1, p.0 % 2 == 0)?.0),
    |a, _, p| {
        let n = sizes(a).last().copied().unwrap_or(1);
        keys(a)?.topk(usize::from(p.0) % n.max(1) + 1, -1, p.1 % 2 == 0)?.0.sum(&[-1], true)?.mul(0.3)
    },
    |a, _, p| a.gather(-1, &keys(a)?.argsort(-1, p.0 % 2 == 0)?),
    // What rewriting rules look for.
    |a, _, _| a.neg()?.neg()?.mul(1.0)?.sub(0.0)?.cast(DType::F32),
    |a, _, _| a.mul(&a.graph().constant(a.dtype(), 0.4)?.tanh()?.add(0.3)?),
    |a, _, _| a.add(&a.graph().tensor(ramp(sizes(a).last().copied().unwrap_or(1))?)?.sigmoid()?.square()?),
    |a, b, _| a.tanh()?.matmul(&b.tanh()?)?.transpose(-2, -1),
    |a, _, p| {
        // Parts that together are the whole, each with a function of its own.
        let (d, n) = (dim(a, p.0), length(a, p));
        let cut = from(a, p);
        let (low, high) = (a.slice(d, 0, cut)?.neg()?, a.slice(d, cut, n)?.tanh()?);
        low.pad(d, 0, n - cut)?.add(&high.pad(d, cut, 0)?)
    },
    |a, b, p| {
        // Computed values and given ones, side by side.
        let d = dim(a, p.0);
        Tensor::concat(&[&a.tanh()?, a, &a.neg()?], d)?
            .slice(d, from(a, p), from(a, p) + length(a, p) + 1)?
            .mul(&b.mean(&[0, -1], false)?)
    },
    |a, b, _| {
        let (q, k) = (a.tanh()?, b.tanh()?);
        q.matmul(&k.transpose(-2, -1)?)?.mul(0.7)?.softmax(-1)?.matmul(&k)
    },
    |a, _, _| {
        let rows = sizes(a).first().copied().unwrap_or(0);
        let classes = sizes(a).get(1).copied().unwrap_or(1).max(1);
        let target: Vec<i32> = (0..rows).map(|row| (row * 5 % classes) as i32).collect();
        let loss = a.cross_entropy_with(&a.graph().tensor(HostTensor::new(&target, [rows])?)?, 0.1)?;
        a.sub(&a.graph().vjp(&[(&loss, &a.graph().constant(a.dtype(), 0.5)?)], &[a])?[0])?.add(&loss)
    },
];

/// Small numbers of both signs, `[rows, columns]`.
fn grid(rows: usize, columns: usize) -> Result<HostTensor> {
    let values: Vec<f32> = (0..rows * columns).map(|i| ((i * 7 % 11) as f32 - 5.0) / 8.0).collect();
    HostTensor::new(&values, [rows, columns])
}

/// The numbers from −1 up in steps of a third.
fn ramp(n: usize) -> Result<HostTensor> {
    HostTensor::new(&(0..n).map(|i| i as f32 / 3.0 - 1.0).collect::<Vec<_>>(), [n])
}

/// Values that depend on `a`, far from each other along the last dimension and in an order that is neither up nor down.
fn keys(a: &Tensor) -> Result<Tensor> {
    let n = sizes(a).last().copied().unwrap_or(1);
    let places: Vec<f32> = (0..n).map(|i| (i * 5 % 7) as f32 + (i / 7 * 8) as f32).collect();
    a.tanh()?.mul(0.1)?.add(&a.graph().tensor(HostTensor::new(&places, [n])?)?)
}

fn sizes(t: &Tensor) -> Vec<usize> {
    t.shape().fixed().unwrap_or_default()
}

fn dim(t: &Tensor, pick: u16) -> isize {
    pick as isize % t.rank().max(1) as isize
}

fn length(t: &Tensor, p: Pick) -> usize {
    sizes(t).get(dim(t, p.0) as usize).copied().unwrap_or(1).max(1)
}

fn from(t: &Tensor, p: Pick) -> usize {
    usize::from(p.1) % length(t, p)
}

/// The shape with one dimension split in two, or merged with the next.
fn split(t: &Tensor, p: Pick) -> Vec<usize> {
    let mut shape = sizes(t);
    let at = dim(t, p.0) as usize;
    match shape.get(at).copied() {
        Some(n) if n % 2 == 0 => {
            shape[at] = n / 2;
            shape.insert(at + 1, 2);
        }
        Some(n) if at + 1 < shape.len() => {
            shape[at + 1] *= n;
            shape.remove(at);
        }
        _ => {}
    }
    shape
}

impl Instruction {
    /// Applies it to values of the pool, the recent ones more often.
    ///
    /// # Errors
    /// Where the operation refuses them.
    pub fn apply(&self, pool: &[Tensor]) -> Result<Tensor> {
        let of = |pick: u16| {
            let last = if pick.is_multiple_of(3) { pool.len() } else { pool.len().min(3) };
            &pool[pool.len() - 1 - usize::from(pick / 3) % last]
        };
        let make = TABLE[usize::from(self.what) % TABLE.len()];
        // Operands come from other digits of the numbers than dimensions do.
        make(of(self.pick.0 / 64), of(self.pick.1 / 64), self.pick)
    }
}
