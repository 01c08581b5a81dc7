//! Elementwise operations: rows of a table. A row is at once an operation, a fusable body and a test.

mod activation;
mod body;
mod cases;
mod exact;
mod fast;
mod map;
mod methods;
mod moved;
mod rows;
mod special;
mod table;
pub(in crate::ops) mod wgsl;
mod wide;

pub use body::{Argument, Body, Fused, Step};
pub(crate) use cases::cases;
pub use fast::math;
pub(crate) use fast::vectorised;
pub use map::{Function, Map};
use rows::Takes;
pub(crate) use rows::row;
pub use rows::{Attribute, Row, activations, rows};

/// The step that passes a value of a type on.
pub(crate) fn copy_step(from: Argument, dtype: crate::DType) -> Step {
    let function = Function { row: table::COPY, attributes: Vec::new() };
    Step { function, arguments: vec![from], dtype, operands: dtype }
}

/// The operation that copies a value of a type into contiguous memory.
pub(crate) fn copy(dtype: crate::DType) -> Fused {
    Fused::new(Body { steps: vec![copy_step(Argument::Input(0), dtype)], outputs: vec![0] })
}

/// The activations with their derivatives, or all other rows, as registered operations with cases of their own.
pub(crate) fn registered(activations: bool) -> Vec<super::Registered> {
    rows()
        .filter(|row| row.name != table::COPY.name && row.activation() == activations)
        .map(|row| super::Registered {
            name: row.name,
            formula: row.formula,
            inputs: match (row.takes, row.arity) {
                (Takes::Select, _) => "c […] (bool); y […]; z […]; they broadcast",
                (_, 2) => "x […]; y […]; they broadcast",
                _ => "x […]",
            },
            attributes: "",
            types: match row.takes {
                Takes::Any => "any",
                Takes::Select => "any, both choices the same",
                Takes::Numbers => "f32, f16, f64, i32, u32",
                Takes::Floats => "f32, f16, f64",
            },
            source: row.source,
            cases: super::Cases::Row(row),
        })
        .collect()
}
