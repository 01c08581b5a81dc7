//! Every kernel of every operation, in every variant, without a GPU: composed as its plan asks, it is valid, it declares
//! the bindings that it will be given, keeps to the portable limits, and can be written for every driver.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "in tests a panic is the report")]

mod tint;

use std::{
    collections::HashMap,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Command, Stdio},
};

use kernels_test::{
    harness,
    paper::{paper, paper_with_matrices},
};
use knotwork::{
    Result,
    ops::registry,
    plan::{Capabilities, ConstantValue, CooperativeMatrix, Dispatch, FUSED_BINDING, Source},
};
use knotwork_shaders::{
    ComposeError, Constant, Root, SHADERS, Validated, compose, validate,
    writers::{hlsl, msl, spirv},
};
use tint::Module;

fn constant(value: &ConstantValue) -> Constant {
    match value {
        ConstantValue::U32(v) => Constant::U32(*v),
        ConstantValue::I32(v) => Constant::I32(*v),
        ConstantValue::F32(bits) => Constant::F32(f32::from_bits(*bits)),
        ConstantValue::Bool(v) => Constant::Bool(*v),
        ConstantValue::Type(name) => Constant::Type(name.clone()),
    }
}

/// Whether `spirv-val` is installed; without it, its part of the check is left out.
fn has_spirv_val() -> bool {
    Command::new("spirv-val").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

fn spirv_val(words: &[u32]) -> Result<(), String> {
    let say = |e: std::io::Error| e.to_string();
    let mut child = Command::new("spirv-val")
        .args(["--target-env", "vulkan1.1", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(say)?;
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    child.stdin.take().ok_or("no stdin")?.write_all(&bytes).map_err(say)?;
    let output = child.wait_with_output().map_err(say)?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "spirv-val: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// Writes a module's entry point in every driver's language that can say it: Direct3D's has no cooperative matrices,
/// Metal's none but of 8x8.
fn write(
    validated: &Validated,
    entry: &str,
    matrix: Option<CooperativeMatrix>,
    check_spirv: bool,
) -> Result<(), String> {
    let written = catch_unwind(AssertUnwindSafe(|| {
        let words = spirv(validated, Some(entry)).map_err(|e| e.to_string())?;
        if check_spirv {
            match spirv_val(&words) {
                // One that is older than cooperative matrices: it stops at their capability.
                Err(message) if matrix.is_some() && message.contains("Invalid capability operand") => {}
                checked => checked?,
            }
        }
        if matrix.is_none_or(|m| m.size == 8) {
            msl(validated, Some(entry)).map_err(|e| e.to_string())?;
        }
        if matrix.is_none() {
            hlsl(validated, Some(entry)).map_err(|e| e.to_string())?;
        }
        Ok(())
    }));
    written.unwrap_or_else(|_| Err("a writer panicked".into()))
}

/// That a kernel declares what its dispatch gives it, within the portable limits.
fn declares(validated: &Validated, dispatch: &Dispatch, limits: &Capabilities) -> Result<(), String> {
    let module = &validated.module;
    let entry =
        module.entry_points.iter().find(|e| e.name == "main").ok_or("it has no entry point `main`")?;
    let threads: u32 = entry.workgroup_size.iter().product();
    if threads > limits.max_threads {
        return Err(format!("{threads} threads a workgroup (limit {})", limits.max_threads));
    }
    let mut workgroup = 0;
    let mut storage: HashMap<u32, bool> = HashMap::new();
    for (_, global) in module.global_variables.iter() {
        let size = module.types[global.ty].inner.size(module.to_ctx());
        match (&global.binding, global.space) {
            (Some(b), naga::AddressSpace::Uniform) if b.group == 0 && b.binding == 0 => {
                let given = dispatch.params.words().len() * 4;
                if size as usize > given.next_multiple_of(16) {
                    return Err(format!("its parameters take {size} bytes; the dispatch has {given}"));
                }
            }
            (Some(b), naga::AddressSpace::Uniform) if b.group == 0 && b.binding == FUSED_BINDING => {
                let given = dispatch.params.fused().len() * 4;
                if size as usize > given.next_multiple_of(16) {
                    return Err(format!("its fused steps take {size} bytes; the dispatch has {given}"));
                }
            }
            (Some(b), naga::AddressSpace::Storage { access }) if b.group == 0 => {
                storage.insert(b.binding, access.contains(naga::StorageAccess::STORE));
            }
            (None, naga::AddressSpace::WorkGroup) => workgroup += size,
            (Some(b), space) => return Err(format!("binding {}.{} in {space:?}", b.group, b.binding)),
            (None, _) => {}
        }
    }
    if workgroup > limits.max_workgroup_bytes {
        return Err(format!("{workgroup} bytes of workgroup memory (limit {})", limits.max_workgroup_bytes));
    }
    let given: HashMap<u32, bool> = (1..).zip(dispatch.bindings.iter().map(|b| b.writes)).collect();
    if storage != given {
        return Err(format!(
            "it declares storage bindings {storage:?} (whether written), its dispatch has {given:?}"
        ));
    }
    Ok(())
}

#[test]
fn every_kernel_of_every_plan_is_portable() {
    let check_spirv = has_spirv_val();
    let mut seen = std::collections::HashSet::new();
    let mut wrong: Vec<String> = Vec::new();
    let mut browser: Vec<Module> = Vec::new();
    let mut matrices = 0;
    // Products alone have kernels for cooperative matrices.
    let products = registry().into_iter().filter(|op| op.name.starts_with("matmul"));
    let all = registry().into_iter().map(|op| (op, paper()));
    for (op, device) in all.chain(products.map(|op| (op, paper_with_matrices()))) {
        harness::plans(&op, &device, |case, plan| {
            let plan = match plan {
                Ok(plan) => plan,
                Err(message) => return wrong.push(format!("{} `{case}`: {message}", op.name)),
            };
            for dispatch in plan.dispatches.iter().filter(|d| seen.insert(d.kernel.clone())) {
                let name = format!("{} `{case}`: kernel `{}`", op.name, dispatch.kernel.name);
                matrices += usize::from(dispatch.kernel.needs.cooperative.is_some());
                match check(dispatch, device.capabilities(), check_spirv) {
                    Ok(code) => browser.extend(code.map(|code| Module { name, code })),
                    Err(message) => wrong.push(format!("{name}: {message}")),
                }
            }
        });
    }
    wrong.extend(tint::refused(&browser).unwrap_or_default());
    assert!(wrong.is_empty(), "{} of {} kernels: {}", wrong.len(), seen.len(), wrong.join("\n"));
    assert!(seen.len() > 50, "only {} kernels were found", seen.len());
    assert!(matrices > 10, "only {matrices} kernels with cooperative matrices were found");
}

/// Holds a kernel against everything but Tint, and gives its text in the browser's form; none where only wgpu has what it
/// uses.
fn check(dispatch: &Dispatch, limits: &Capabilities, check_spirv: bool) -> Result<Option<String>, String> {
    let kernel = &dispatch.kernel;
    let root = match &kernel.source {
        Source::Named(name) => Root::Named(name),
        Source::Text(text) => Root::Text { name: &kernel.name, text },
    };
    let constants: Vec<(&str, Constant)> = kernel.constants.iter().map(|(n, v)| (*n, constant(v))).collect();
    let composed = compose(root, &kernel.flags, &constants).map_err(|e| e.to_string())?;
    let matrix = kernel.needs.cooperative;
    let browser = match composed.for_browser() {
        Ok(browser) => Some(browser.text),
        Err(ComposeError::NotForBrowser { .. }) if matrix.is_some() => None,
        Err(other) => return Err(other.to_string()),
    };
    let validated = validate(&composed).map_err(|e| e.to_string())?;
    declares(&validated, dispatch, limits)?;
    write(&validated, "main", matrix, check_spirv)?;
    Ok(browser)
}

/// The cooperative matrices that shader files name, where nothing replaces them.
const WRITTEN: CooperativeMatrix =
    CooperativeMatrix { size: 8, operands: knotwork::DType::F16, sums: knotwork::DType::F32 };

#[test]
fn every_shader_file_is_portable_as_it_stands() {
    let check_spirv = has_spirv_val();
    for (name, _) in SHADERS {
        let validated = validate(&compose(Root::Named(name), &[], &[]).unwrap()).unwrap();
        for entry in &validated.module.entry_points {
            let matrix = name.starts_with("matmul/cooperative").then_some(WRITTEN);
            write(&validated, &entry.name, matrix, check_spirv).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
}
