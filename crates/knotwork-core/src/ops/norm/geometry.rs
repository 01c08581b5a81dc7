//! What a normalisation is taken over: rows of x `[O, C, S]`, and the channel of each element.

use crate::{Dim, Result, graph::Tensor, plan::Params};

/// A normalisation of x `[O, C, S]`, without what its dimensions become.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Norm {
    pub(super) name: &'static str,
    pub(super) over: Over,
    /// Whether the mean is taken out.
    pub(super) centred: bool,
    pub(super) eps: f64,
}

/// What one mean and one variance are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Each of so many groups of neighbouring channels, for each of O.
    Groups(usize),
    /// Each channel, over O and S.
    Batch,
}

/// Where the elements of a row lie, and their channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub(super) outer: usize,
    pub(super) channels: usize,
    /// Elements of a channel that lie side by side.
    pub(super) inner: usize,
    pub(super) rows: usize,
    /// Elements a row.
    pub(super) n: usize,
    /// Channels that share a row's statistics.
    pub(super) per: usize,
    pub(super) batch: bool,
}

impl Geometry {
    pub(super) fn new(over: Over, shape: &[usize]) -> Self {
        let [outer, channels, inner] = [shape[0], shape[1], shape[2]];
        match over {
            Over::Groups(groups) => {
                let per = channels / groups.max(1);
                Self { outer, channels, inner, rows: outer * groups, n: per * inner, per, batch: false }
            }
            Over::Batch => {
                Self { outer, channels, inner, rows: channels, n: outer * inner, per: 1, batch: true }
            }
        }
    }

    /// The groups that rows run through.
    pub(super) fn groups(&self) -> usize {
        if self.batch { self.channels } else { self.channels / self.per.max(1) }
    }

    /// Where element `i` of a row lies.
    pub(super) fn at(&self, row: usize, i: usize) -> usize {
        if self.batch {
            row * self.inner + i / self.inner * self.channels * self.inner + i % self.inner
        } else {
            row * self.n + i
        }
    }

    /// The channel of element `i` of a row.
    pub(super) fn channel(&self, row: usize, i: usize) -> usize {
        if self.batch { row } else { row % self.groups() * self.per + i / self.inner }
    }

    /// The row of the elements of a channel in one of the O.
    pub(super) fn row(&self, outer: usize, channel: usize) -> usize {
        if self.batch { channel } else { outer * self.groups() + channel / self.per }
    }

    /// The words that the row kernels begin with.
    pub(super) fn params(&self, eps: f64) -> Params {
        Params::new()
            .u32(self.rows)
            .u32(self.n)
            .u32(self.groups())
            .u32(self.per)
            .u32(self.inner)
            .u32(self.channels * self.inner)
            .f32(self.n as f32)
            .f32(eps as f32)
    }
}

impl Norm {
    /// (x − mean) / √(var + eps) of x `[O, C, S]`, made of simple operations: what gradients of gradients are taken of.
    pub(super) fn composed(&self, x: &Tensor) -> Result<Tensor> {
        let dims = x.shape().dims().to_vec();
        let (shape, over): (Vec<Dim>, &[isize]) = match self.over {
            Over::Batch => (dims.clone(), &[0, 2]),
            Over::Groups(groups) => {
                let per = dims[1].fixed().unwrap_or(0) / groups.max(1);
                (vec![dims[0].clone(), groups.into(), dims[2].clone() * Dim::from(per)], &[2])
            }
        };
        let x = x.reshape(shape)?;
        let x = if self.centred { x.sub(&x.mean(over, true)?)? } else { x };
        let root = x.square()?.mean(over, true)?.add(self.eps)?.sqrt()?;
        x.div(&root)?.reshape(dims)
    }
}
