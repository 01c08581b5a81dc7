//! Kinds of work, each with a colour.

use crate::ops::Op;

/// A kind of work, for the colours of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Given to the run: inputs.
    Input,
    /// Products: matmul, linear, convolutions, sparse and transformed ones.
    Product,
    /// Attention in all its forms.
    Attention,
    /// Spline and other basis layers.
    Basis,
    /// One element at a time, fused or not.
    Elementwise,
    /// Over rows or dimensions: sums, norms, softmax, losses.
    Reduction,
    /// Optimizers.
    Optimizer,
    /// Copies, gathers, paddings, views.
    Movement,
    /// Anything else, such as operations of one's own.
    Other,
}

impl Family {
    /// All of them, in the order of a legend.
    pub const ALL: [Self; 9] = [
        Self::Input,
        Self::Product,
        Self::Attention,
        Self::Basis,
        Self::Elementwise,
        Self::Reduction,
        Self::Optimizer,
        Self::Movement,
        Self::Other,
    ];

    /// The family of an operation: by what it says of itself, else by its name.
    #[must_use]
    pub fn of(op: &dyn Op) -> Self {
        let name = op.name();
        if name == "copy" {
            return Self::Movement;
        }
        if op.body().is_some() || op.elementwise().is_some() {
            return Self::Elementwise;
        }
        let has = |words: &[&str]| words.iter().any(|w| name.contains(w));
        if has(&["attention", "causal_linear"]) {
            Self::Attention
        } else if has(&["kan", "basis", "spline", "wavelet", "polynomial"]) {
            Self::Basis
        } else if has(&[
            "matmul",
            "linear",
            "conv",
            "sparse_mat",
            "spmm",
            "csr",
            "sddmm",
            "hadamard",
            "product",
        ]) {
            Self::Product
        } else if has(&["adam", "sgd"]) {
            Self::Optimizer
        } else if has(&[
            "gather", "scatter", "pad", "concat", "reshape", "permute", "slice", "expand", "detach",
        ]) {
            Self::Movement
        } else if has(&[
            "sum", "mean", "prod", "max", "min", "var", "norm", "softmax", "entmax", "entropy", "loss",
            "target", "row",
        ]) {
            Self::Reduction
        } else {
            Self::Other
        }
    }

    /// Its name in a legend.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Product => "product",
            Self::Attention => "attention",
            Self::Basis => "basis layer",
            Self::Elementwise => "elementwise",
            Self::Reduction => "rows and reductions",
            Self::Optimizer => "optimizer",
            Self::Movement => "copies and views",
            Self::Other => "other",
        }
    }

    /// The colour of its boxes, light enough for dark text.
    #[must_use]
    pub fn fill(self) -> &'static str {
        match self {
            Self::Input => "#ffffff",
            Self::Product => "#bcd7f5",
            Self::Attention => "#d5c6f2",
            Self::Basis => "#f6c9dd",
            Self::Elementwise => "#cdeccb",
            Self::Reduction => "#fde3ae",
            Self::Optimizer => "#f9c8b4",
            Self::Movement => "#e3e6ea",
            Self::Other => "#d9f0f1",
        }
    }
}
