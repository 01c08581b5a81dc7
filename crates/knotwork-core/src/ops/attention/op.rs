//! Attention and the parts of its backward pass, as operations over the same inputs.

use super::{
    Normalizer, fast,
    index::{Part, Role},
    kernels, reference, skips,
};
use crate::{
    DType, Dim, Layout, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    ops::{Cost, Op, Reference, no_gradient},
    plan::{KernelRequest, Lowering},
};

/// The shape of a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BiasForm {
    /// [H or 1, 2R + 1]
    Relative,
    /// [H or 1, Lq or 1, Lk or 1]
    Scores,
}

/// What is computed. All but the first take two more inputs: the cotangent, and four numbers a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartOf {
    /// The output, and four numbers a row.
    Forward,
    /// The four numbers, with the last, the mean of the cotangents, in its place.
    Rows,
    /// The gradient to the queries, and what `Rows` gives.
    Query,
    Key,
    Value,
    Bias,
}

/// The options, without tensors.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub mask: Part,
    pub roles: Vec<Role>,
    pub scale: Option<f64>,
    pub softcap: Option<f64>,
    pub alibi: bool,
    pub bias: Option<BiasForm>,
    pub top_k: Option<usize>,
    pub normalizer: Normalizer,
}

#[derive(Clone, Debug)]
pub(super) struct AttentionOp {
    pub part: PartOf,
    pub setting: Setting,
}

impl AttentionOp {
    pub fn bias_input(&self) -> Option<usize> {
        self.setting.bias.map(|_| 3)
    }

    pub fn table_inputs(&self) -> std::ops::Range<usize> {
        let first = 3 + usize::from(self.setting.bias.is_some());
        first..first + self.setting.roles.len()
    }

    /// Where the cotangent stands; the rows follow.
    pub fn cotangent_input(&self) -> usize {
        self.table_inputs().end
    }

    fn check_options(&self, keys: &Dim) -> Result<(), String> {
        let s = &self.setting;
        if let Some(c) = s.softcap.filter(|c| !(c.is_finite() && *c > 0.0)) {
            return Err(format!("softcap is {c}; it must be above 0 and finite"));
        }
        if let Some(scale) = s.scale.filter(|v| !v.is_finite()) {
            return Err(format!("scale is {scale}; it must be finite"));
        }
        if let Some(k) = s.top_k {
            if k == 0 {
                return Err("top_k is 0; at least one key must be kept".into());
            }
            if let Some(n) = keys.fixed().filter(|&n| k > n) {
                return Err(format!("top_k is {k}, but a row has {n} keys"));
            }
        }
        Ok(())
    }

    fn check_tables(&self, inputs: &[Meta]) -> Result<(), String> {
        let (q, k) = (inputs[0].shape.dims(), inputs[1].shape.dims());
        for (i, role) in self.table_inputs().zip(&self.setting.roles) {
            let meta = &inputs[i];
            let dims = meta.shape.dims();
            if !meta.dtype.is_index() && meta.dtype != DType::Bool {
                return Err(format!("a mask looks up {meta}; it takes i32, u32 or bool"));
            }
            match role {
                Role::Values if (1..=4).contains(&dims.len()) => {}
                Role::Values => return Err(format!("a mask looks up {meta}; it takes 1 to 4 dimensions")),
                Role::Document if dims.len() == 2 && dims[0] == q[0] && dims[1] == k[2] => {}
                Role::Document => {
                    return Err(format!("document is {meta}; it must be [B, Lk] = [{}, {}]", q[0], k[2]));
                }
                Role::Lengths if dims.len() == 1 && dims[0] == q[0] && meta.dtype.is_index() => {}
                Role::Lengths => {
                    return Err(format!("the lengths are {meta}; they must be i32 or u32 [B] = [{}]", q[0]));
                }
                Role::Block(size) => {
                    let fits = |dim: &Dim, of: &Dim| match (dim.fixed(), of.fixed()) {
                        (Some(n), Some(of)) => n == of.div_ceil(*size),
                        _ => true,
                    };
                    let heads = |d: &Dim| d.fixed() == Some(1) || *d == q[1];
                    if dims.len() != 3 || !heads(&dims[0]) || !fits(&dims[1], &q[2]) || !fits(&dims[2], &k[2])
                    {
                        return Err(format!(
                            "block_mask is {meta}; with {} heads, {} queries, {} keys and block size {size} it must be \
                             [H or 1, ceil(Lq / size), ceil(Lk / size)]",
                            q[1], q[2], k[2]
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn check_bias(&self, inputs: &[Meta]) -> Result<(), String> {
        let (Some(form), Some(i)) = (self.setting.bias, self.bias_input()) else { return Ok(()) };
        let (bias, q, k) = (&inputs[i], inputs[0].shape.dims(), inputs[1].shape.dims());
        let dims = bias.shape.dims();
        let or_one = |d: &Dim, of: &Dim| d.fixed() == Some(1) || d == of;
        let fits = match form {
            BiasForm::Relative => {
                dims.len() == 2 && or_one(&dims[0], &q[1]) && dims[1].fixed().is_some_and(|n| n % 2 == 1)
            }
            BiasForm::Scores => {
                dims.len() == 3
                    && or_one(&dims[0], &q[1])
                    && or_one(&dims[1], &q[2])
                    && or_one(&dims[2], &k[2])
            }
        };
        if fits {
            return Ok(());
        }
        Err(match form {
            BiasForm::Relative => {
                format!("the relative bias is {bias}; it must be [H or 1, 2R + 1], H = {}", q[1])
            }
            BiasForm::Scores => format!(
                "the bias is {bias}; it must be [H or 1, Lq or 1, Lk or 1] with H = {}, Lq = {}, Lk = {}",
                q[1], q[2], k[2]
            ),
        })
    }
}

impl Op for AttentionOp {
    fn name(&self) -> &str {
        match self.part {
            PartOf::Forward => "attention",
            PartOf::Rows => "attention_rows",
            PartOf::Query => "attention_query_gradient",
            PartOf::Key => "attention_key_gradient",
            PartOf::Value => "attention_value_gradient",
            PartOf::Bias => "attention_bias_gradient",
        }
    }

    fn attributes(&self) -> String {
        let s = &self.setting;
        format!(
            "mask={} roles={:?} scale={:?} softcap={:?} alibi={} bias={:?} top_k={:?} normalizer={:?}",
            s.mask, s.roles, s.scale, s.softcap, s.alibi, s.bias, s.top_k, s.normalizer
        )
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let (q, k, v) = (&inputs[0], &inputs[1], &inputs[2]);
        for (name, m) in [("q", q), ("k", k), ("v", v)] {
            if !matches!(m.dtype, DType::F32 | DType::F64) {
                return Err(format!("{name} is {m}; it takes f32 or f64"));
            }
            if m.dtype != q.dtype {
                return Err(format!("{name} is {m}, q is {q}: they must be of one type"));
            }
            if m.shape.rank() != 4 {
                return Err(format!("{name} is {m}; it must have 4 dimensions, [B, heads, length, size]"));
            }
        }
        if let Some(m) = self.bias_input().map(|i| &inputs[i]).filter(|m| m.dtype != q.dtype) {
            return Err(format!("the bias is {m}, q is {q}: they must be of one type"));
        }
        let [qd, kd, vd] = [q, k, v].map(|m| m.shape.dims());
        for (name, at, dim, want, of) in [
            ("k", 0, &kd[0], &qd[0], "q"),
            ("v", 0, &vd[0], &qd[0], "q"),
            ("k", 3, &kd[3], &qd[3], "q"),
            ("v", 1, &vd[1], &kd[1], "k"),
            ("v", 2, &vd[2], &kd[2], "k"),
        ] {
            if dim != want {
                return Err(format!("dimension {at} of {name} is {dim}, that of {of} is {want}"));
            }
        }
        let (Some(h), Some(hkv)) = (qd[1].fixed(), kd[1].fixed()) else {
            return Err(format!("the numbers of heads, {} and {}, must be fixed", qd[1], kd[1]));
        };
        if hkv == 0 || h == 0 || h % hkv != 0 {
            return Err(format!("q has {h} heads, k has {hkv}: the first must be a multiple of the second"));
        }
        if qd[3].fixed() == Some(0) {
            return Err("the queries have size 0: there is nothing to compare".into());
        }
        self.check_options(&kd[2])?;
        self.check_bias(inputs)?;
        self.check_tables(inputs)?;
        let rows = Meta::new(q.dtype, vec![qd[0].clone(), qd[1].clone(), qd[2].clone(), Dim::from(4)]);
        Ok(match self.part {
            PartOf::Forward => {
                let y = vec![qd[0].clone(), qd[1].clone(), qd[2].clone(), vd[3].clone()];
                vec![Meta::new(q.dtype, y), rows]
            }
            PartOf::Rows => vec![rows],
            PartOf::Query => vec![q.clone(), rows],
            PartOf::Key => vec![k.clone()],
            PartOf::Value => vec![v.clone()],
            PartOf::Bias => vec![inputs[3].clone()],
        })
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        reference::run(self, inputs, outputs);
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        Ok(fast::run(self, io))
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        kernels::lower(self, request)
    }

    fn note(&self, request: &KernelRequest<'_>, variant: &str) -> Option<String> {
        kernels::note(self, request, variant)
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        if self.part != PartOf::Forward {
            return Err(no_gradient("first-order only: the gradients of attention have no gradients"));
        }
        let g = context.cotangent()?;
        let of = |part: PartOf, rows: &Tensor| {
            let mut inputs: Vec<&Tensor> = context.inputs.iter().collect();
            inputs.extend([g, rows]);
            g.graph().apply(Self { part, setting: self.setting.clone() }, &inputs, Site::here())
        };
        let mut found = vec![None; context.inputs.len()];
        let part = if context.wanted[0] { PartOf::Query } else { PartOf::Rows };
        let mut first = of(part, &context.outputs[1])?;
        let rows = first.pop().ok_or_else(|| no_gradient("the numbers of the rows are missing"))?;
        found[0] = first.pop();
        for (i, part) in [(1, PartOf::Key), (2, PartOf::Value), (3, PartOf::Bias)] {
            if (i < 3 || self.bias_input().is_some()) && context.wanted[i] {
                found[i] = of(part, &rows)?.pop();
            }
        }
        Ok(found)
    }

    /// The elements of q, k, v and the cotangent lie anywhere.
    fn accepts(&self, input: usize, layout: &Layout) -> bool {
        layout.is_contiguous()
            || input < 3
            || (self.part != PartOf::Forward && input == self.cotangent_input())
    }

    /// Which tiles are empty.
    fn is_hint(&self, output: usize, at: usize) -> bool {
        let rows = match self.part {
            PartOf::Forward | PartOf::Query => output == 1,
            PartOf::Rows => true,
            PartOf::Key | PartOf::Value | PartOf::Bias => false,
        };
        rows && skips::takes(self) && at % 4 == 2
    }

    fn emits(&self) -> bool {
        matches!(self.part, PartOf::Forward | PartOf::Query | PartOf::Key | PartOf::Value)
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        let (q, v) = (inputs[0].1.shape(), inputs[2].1.shape());
        let pairs = (q[0] * q[1] * q[2] * v[2]) as f64;
        let products = if self.part == PartOf::Forward { 2.0 } else { 4.0 };
        Cost { flops: products * pairs * (q[3] + v[3]) as f64, bytes: bytes(inputs) + bytes(outputs) }
    }
}
