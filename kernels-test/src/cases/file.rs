//! One case, one file.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, bail};
use knotwork::{DType, HostTensor};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// A case as its file gives it.
#[derive(Clone, Debug)]
pub struct CaseFile {
    /// Its name: the file's, without the ending.
    pub name: String,
    /// The operation.
    pub op: String,
    /// Its attributes: a JSON object.
    pub attrs: Value,
    /// The relative tolerance.
    pub rtol: f64,
    /// The absolute tolerance.
    pub atol: f64,
    /// The inputs, by name.
    pub inputs: BTreeMap<String, HostTensor>,
    /// The expected outputs.
    pub outputs: BTreeMap<String, HostTensor>,
    /// The cotangents of outputs.
    pub cotangents: BTreeMap<String, HostTensor>,
    /// The expected gradients to inputs.
    pub gradients: BTreeMap<String, HostTensor>,
}

impl CaseFile {
    /// Reads a case.
    ///
    /// # Errors
    /// Where the file is no case; the message names it.
    pub fn read(path: &Path) -> Result<Self> {
        let at = || path.display().to_string();
        let bytes = fs::read(path).with_context(at)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self::parse(&name, &bytes).with_context(at)
    }

    /// Reads a case from the bytes of its file.
    ///
    /// # Errors
    /// Where they are no case.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let case = header.metadata().as_ref().and_then(|m| m.get("case"));
        let case: Value = serde_json::from_str(case.context("its metadata has no key `case`")?)?;
        let number = |key: &str| case[key].as_f64().with_context(|| format!("`case` has no number `{key}`"));
        let mut read = Self {
            name: name.into(),
            op: case["op"].as_str().context("`case` has no text `op`")?.into(),
            attrs: case["attrs"].clone(),
            rtol: number("rtol")?,
            atol: number("atol")?,
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            cotangents: BTreeMap::new(),
            gradients: BTreeMap::new(),
        };
        for (key, view) in SafeTensors::deserialize(bytes)?.tensors() {
            let dtype = match view.dtype() {
                Dtype::F32 => DType::F32,
                Dtype::I32 => DType::I32,
                other => bail!("`{key}` is {other:?}; cases hold f32 and i32"),
            };
            let value = HostTensor::from_device_bytes(dtype, view.shape(), view.data())?;
            let group = match key.split_once('/') {
                Some(("in", _)) => &mut read.inputs,
                Some(("out", _)) => &mut read.outputs,
                Some(("cot", _)) => &mut read.cotangents,
                Some(("grad", _)) => &mut read.gradients,
                _ => bail!("`{key}` is none of in/, out/, cot/, grad/"),
            };
            let (_, name) = key.split_once('/').unwrap_or_default();
            group.insert(name.into(), value);
        }
        if read.outputs.is_empty() {
            bail!("it expects no output");
        }
        Ok(read)
    }
}
