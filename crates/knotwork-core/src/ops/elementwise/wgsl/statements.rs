//! The statements that take one element through a body. They only call the hand-written functions of `shaders/`.

use std::fmt::Write;

use super::words::Words;
use crate::{
    DType, Layout,
    ops::elementwise::{Argument, Body},
};

/// Where a body finds an input.
#[derive(Clone, Debug)]
pub(in crate::ops) enum Source<'a> {
    /// At hand: an expression.
    Value(&'a str),
    /// In a buffer of that name.
    Buffer(String, DType, &'a Layout),
}

/// Where an output goes: a buffer of that name.
#[derive(Clone, Debug)]
pub(in crate::ops) struct Store<'a>(pub String, pub DType, pub &'a Layout);

/// How a kernel finds the element of a buffer.
#[derive(Clone, Copy, PartialEq)]
enum Walk {
    /// The same element for all.
    Scalar,
    /// Element by element.
    Dense,
    /// By the strides of each dimension.
    Strided,
}

impl Walk {
    fn of(layout: &Layout) -> Self {
        if layout.strides().iter().all(|&s| s == 0) {
            Self::Scalar
        } else if layout.is_dense() {
            Self::Dense
        } else {
            Self::Strided
        }
    }
}

impl Body {
    /// The shader files that its functions are in.
    pub(in crate::ops) fn imports(&self) -> Vec<&'static str> {
        let mut imports: Vec<_> = self.steps.iter().filter_map(|s| s.function.row.wgsl.import).collect();
        imports.sort_unstable();
        imports.dedup();
        imports
    }

    /// The statements for the element whose running number in the body's space is the variable `at`: loads, a value
    /// `t0`, `t1`, … a step, and stores.
    pub(in crate::ops) fn statements(
        &self,
        at: &str,
        sources: &[Source<'_>],
        stores: &[Store<'_>],
        words: &mut Words,
    ) -> String {
        let views: Vec<&Layout> = sources
            .iter()
            .filter_map(|s| if let Source::Buffer(_, _, layout) = s { Some(*layout) } else { None })
            .chain(stores.iter().map(|s| s.2))
            .collect();
        let collapsed = Layout::collapse(&views);
        let strided = collapsed.iter().any(|l| Walk::of(l) == Walk::Strided);
        let mut s = String::new();
        if let Some(first) = collapsed.first().filter(|_| strided) {
            coordinates(&mut s, at, first.shape(), words);
        }
        let mut views = collapsed.iter();
        let mut index = |words: &mut Words| {
            let Some(layout) = views.next() else { return at.to_owned() };
            let mut index = words.size(layout.offset());
            match Walk::of(layout) {
                Walk::Scalar => {}
                Walk::Dense => index = format!("{index} + {at}"),
                Walk::Strided => {
                    for (d, &stride) in layout.strides().iter().enumerate() {
                        let _ = write!(index, " + x{d} * {}", words.size(stride));
                    }
                }
            }
            index
        };
        for (i, source) in sources.iter().enumerate() {
            let value = match source {
                Source::Value(expression) => (*expression).to_owned(),
                Source::Buffer(name, dtype, _) => loaded(*dtype, &format!("{name}[{}]", index(words))),
            };
            let _ = writeln!(s, "    let a{i} = {value};");
        }
        for (k, step) in self.steps.iter().enumerate() {
            let _ = writeln!(s, "    let t{k} = {};", step.expression(words));
        }
        for (Store(name, dtype, _), &k) in stores.iter().zip(&self.outputs) {
            let value = match dtype {
                DType::Bool => format!("select(0u, 1u, t{k})"),
                DType::F16 => format!("f16(t{k})"),
                _ => format!("t{k}"),
            };
            let _ = writeln!(s, "    {name}[{}] = {value};", index(words));
        }
        s
    }
}

/// `x0`, `x1`, …: the indices of an element in each dimension.
fn coordinates(s: &mut String, at: &str, shape: &[usize], words: &mut Words) {
    let _ = writeln!(s, "    var rest = {at};");
    for (d, &size) in shape.iter().enumerate().rev() {
        if d == 0 {
            s.push_str("    let x0 = rest;\n");
        } else {
            let size = words.size(size);
            let _ = writeln!(s, "    let x{d} = rest % {size};\n    rest = rest / {size};");
        }
    }
}

impl super::super::Step {
    /// The type of the operands, where it is none of the floats.
    fn integers(&self) -> Option<DType> {
        (!self.operands.is_float()).then_some(self.operands)
    }

    /// The function, called with its arguments and attributes.
    fn expression(&self, words: &mut Words) -> String {
        let integer = self.integers();
        let mut arguments: Vec<String> = Vec::new();
        for a in &self.arguments {
            arguments.push(match (*a, integer) {
                (Argument::Input(i), _) => format!("a{i}"),
                (Argument::Step(j), _) => format!("t{j}"),
                (Argument::Constant(c), Some(DType::I32)) => {
                    format!("bitcast<i32>({})", words.push(c as i32 as u32))
                }
                (Argument::Constant(c), Some(DType::U32)) => words.push(c as u32),
                (Argument::Constant(c), Some(DType::Bool)) => format!("({} != 0u)", words.push(c as u32)),
                (Argument::Constant(c), _) => words.float(c),
            });
        }
        arguments.extend(self.function.attributes.iter().map(|&a| words.float(a)));
        let wgsl = &self.function.row.wgsl;
        let form = if integer.is_some() { wgsl.integers.unwrap_or(wgsl.floats) } else { wgsl.floats };
        arguments
            .iter()
            .enumerate()
            .fold(form.to_owned(), |text, (n, a)| text.replace(&format!("{{{n}}}"), a))
    }
}

/// The declaration of a storage buffer.
pub(in crate::ops) fn storage(binding: usize, name: &str, dtype: DType, writes: bool) -> String {
    let access = if writes { "read_write" } else { "read" };
    let element = match dtype {
        DType::F32 | DType::F64 => "f32",
        DType::F16 => "f16",
        DType::I32 => "i32",
        DType::U32 | DType::Bool => "u32",
    };
    format!("@group(0) @binding({binding}) var<storage, {access}> {name}: array<{element}>;\n")
}

/// An element as the type that kernels compute in.
fn loaded(dtype: DType, element: &str) -> String {
    match dtype {
        DType::F16 => format!("f32({element})"),
        DType::Bool => format!("({element} != 0u)"),
        _ => element.to_owned(),
    }
}
