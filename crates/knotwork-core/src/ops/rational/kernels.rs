//! The dispatches of rational functions.

use super::{RationalCoefficients, RationalForm, value::Rational};
use crate::{
    DType,
    ops::polynomial::{Groups, sums_in_two_stages},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Source},
};

fn kernel(name: &str, source: &'static str, form: RationalForm) -> Kernel {
    Kernel {
        name: name.into(),
        source: Source::Named(source),
        flags: if form == RationalForm::A { vec!["absolute"] } else { Vec::new() },
        constants: Vec::new(),
        needs: Needs::default(),
    }
}

/// The groups, and the coefficients that numerator and denominator have of each.
fn sizes(request: &KernelRequest<'_>) -> Result<(Groups, usize, usize), String> {
    if request.outputs[0].dtype != DType::F32 {
        return Err(format!("{} runs on the CPU only", request.outputs[0].dtype));
    }
    let (p, q) = (request.inputs[1].layout.shape(), request.inputs[2].layout.shape());
    Ok((Groups::of_layout(&request.inputs[0].layout, p[0]), p[1], q[1]))
}

pub(super) fn value(op: &Rational, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    let (groups, m, n) = sizes(request)?;
    let count = request.outputs[0].layout.count();
    let mut kernel = kernel("rational", "rational/value", op.form);
    let mut bindings = vec![BindTo::Input(0), BindTo::Input(1), BindTo::Input(2), BindTo::Output(0)];
    if op.slope {
        kernel.name = "rational_gradient".into();
        kernel.flags.push("slope");
        bindings.push(BindTo::Input(3));
    }
    let params = Params::new().u32(groups.groups).u32(groups.per).u32(count).u32(0usize);
    Ok(vec![Lowering::single(
        "element",
        DispatchSpec {
            kernel,
            bindings,
            params: params.u32(0usize).u32(m).u32(n).u32(0usize),
            grid: Grid::Linear(count.div_ceil(256) as u64),
            flat: None,
        },
    )])
}

pub(super) fn coefficients(
    op: &RationalCoefficients,
    request: &KernelRequest<'_>,
) -> Result<Vec<Lowering>, String> {
    let (groups, m, n) = sizes(request)?;
    let mut kernel = kernel("rational_coefficients", "rational/coefficients", op.form);
    kernel.constants.push(("TERMS", ((m + n) as u32).into()));
    Ok(vec![sums_in_two_stages(groups, m + n, kernel, 4, [m, n, 0])])
}
