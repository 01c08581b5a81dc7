//! Elementwise operations: rows of a table. A row is at once an operation, a fusable body and a test.

mod body;
mod cases;
mod fast;
mod map;
mod methods;
mod rows;
mod table;
mod wgsl;

pub use body::{Argument, Body, Fused, Step};
pub(crate) use cases::cases;
pub use fast::math;
pub(crate) use fast::vectorised;
pub use map::{Function, Map};
pub use rows::Row;
pub(crate) use rows::row;
pub use table::ROWS;

/// The operation that copies a value of a type into contiguous memory.
pub(crate) fn copy(dtype: crate::DType) -> Fused {
    static COPY: &str = "copy";
    let row = row(COPY).unwrap_or(&ROWS[0]);
    let function = Function { row, attributes: Vec::new() };
    let step = Step { function, arguments: vec![Argument::Input(0)], dtype, operands: dtype };
    Fused::new(Body { steps: vec![step], outputs: vec![0] })
}

/// The rows as registered operations, each with cases of its own.
pub(crate) fn registered() -> Vec<super::Registered> {
    ROWS.iter()
        .filter(|r| r.name != "copy")
        .map(|row| super::Registered { name: row.name, formula: row.formula, cases: super::Cases::Row(row) })
        .collect()
}
