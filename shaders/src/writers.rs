//! Writers from a validated module to the languages of the drivers: a portability check that needs no driver.
//!
//! naga's writers may panic on input that they do not support; a test calls them inside `catch_unwind`.

use crate::Validated;
use naga::{
    ShaderStage,
    back::{
        hlsl, msl,
        pipeline_constants::{PipelineConstantError, process_overrides},
        spv,
    },
};

/// Why a writer gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// An `override` of the module has no value.
    #[error("override: {0}")]
    Override(Box<PipelineConstantError>),
    /// SPIR-V cannot say it.
    #[error("SPIR-V: {0}")]
    Spirv(#[from] spv::Error),
    /// Metal's language cannot say it.
    #[error("MSL: {0}")]
    Msl(#[from] msl::Error),
    /// Direct3D's language cannot say it.
    #[error("HLSL: {0}")]
    Hlsl(#[from] hlsl::Error),
}

impl From<PipelineConstantError> for WriteError {
    fn from(error: PipelineConstantError) -> Self {
        WriteError::Override(Box::new(error))
    }
}

/// The compute entry point to write, if there is one: library files have none.
fn stage(entry: Option<&str>) -> Option<(ShaderStage, &str)> {
    entry.map(|name| (ShaderStage::Compute, name))
}

/// The module as SPIR-V 1.3 words.
///
/// ```
/// use knotwork_shaders::{Root, compose, validate, writers};
/// let validated = validate(&compose(Root::Named("shared/grid"), &[], &[])?)?;
/// assert_eq!(writers::spirv(&validated, None)?[0], 0x0723_0203);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`WriteError`] where naga has no SPIR-V for something in the module.
pub fn spirv(validated: &Validated, entry: Option<&str>) -> Result<Vec<u32>, WriteError> {
    let (module, info) =
        process_overrides(&validated.module, &validated.info, stage(entry), &Default::default())?;
    let options = spv::Options { lang_version: (1, 3), ..Default::default() };
    let pipeline = entry.map(|name| spv::PipelineOptions {
        shader_stage: ShaderStage::Compute,
        entry_point: name.to_owned(),
    });
    Ok(spv::write_vec(&module, &info, &options, pipeline.as_ref())?)
}

/// The module in Metal's shading language 2.4.
///
/// ```
/// use knotwork_shaders::{Root, compose, validate, writers};
/// let validated = validate(&compose(Root::Named("shared/grid"), &[], &[])?)?;
/// assert!(writers::msl(&validated, None)?.contains("linear_group"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`WriteError`] where naga has no MSL for something in the module.
pub fn msl(validated: &Validated, entry: Option<&str>) -> Result<String, WriteError> {
    let (module, info) =
        process_overrides(&validated.module, &validated.info, stage(entry), &Default::default())?;
    let options = msl::Options { lang_version: (2, 4), fake_missing_bindings: true, ..Default::default() };
    let pipeline = msl::PipelineOptions {
        entry_point: stage(entry).map(|(stage, name)| (stage, name.to_owned())),
        ..Default::default()
    };
    Ok(msl::write_string(&module, &info, &options, &pipeline)?.0)
}

/// The module in Direct3D's shading language, shader model 6.2.
///
/// ```
/// use knotwork_shaders::{Root, compose, validate, writers};
/// let validated = validate(&compose(Root::Named("shared/grid"), &[], &[])?)?;
/// assert!(writers::hlsl(&validated, None)?.contains("linear_group"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`WriteError`] where naga has no HLSL for something in the module.
pub fn hlsl(validated: &Validated, entry: Option<&str>) -> Result<String, WriteError> {
    let (module, info) =
        process_overrides(&validated.module, &validated.info, stage(entry), &Default::default())?;
    let options = hlsl::Options {
        shader_model: hlsl::ShaderModel::V6_2,
        fake_missing_bindings: true,
        // Without a place for `var<immediate>` the writer panics; any register will do.
        immediates_target: Some(hlsl::BindTarget::default()),
        ..Default::default()
    };
    let pipeline =
        hlsl::PipelineOptions { entry_point: stage(entry).map(|(stage, name)| (stage, name.to_owned())) };
    let mut text = String::new();
    hlsl::Writer::new(&mut text, &options, &pipeline).write(&module, &info, None)?;
    Ok(text)
}
