//! A checkpoint in memory: from a program, to a file, and back.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use knotwork_core::{
    DType, HostTensor,
    device::{ParamInfo, Params},
    graph::SlotGroup,
    tensor::Data,
};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::{CheckpointError, FORMAT_VERSION, Metadata, Mismatch, save::replace};
use crate::Result;

/// The key of the metadata in the file.
const KEY: &str = "knotwork";

/// A checkpoint that was read and found whole.
///
/// ```
/// use knotwork_core::{Device, Graph, HostTensor};
/// use knotwork_nn::{Checkpoint, Metadata};
/// let g = Graph::new();
/// let w = g.parameter("w", HostTensor::new(&[1.0f32, 2.0], [2])?)?;
/// let program = Device::cpu().compile(&g, &[&w], &[])?;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("w.safetensors");
/// Checkpoint::save(&path, program.params(), Metadata { epoch: 4, ..Metadata::default() })?;
/// program.params().set("w", &HostTensor::new(&[0.0f32, 0.0], [2])?)?;
/// let saved = Checkpoint::load(&path)?;
/// saved.restore(program.params())?;
/// assert_eq!(saved.metadata().epoch, 4);
/// assert_eq!(program.params().get("w")?.as_slice::<f32>()?, &[1.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Checkpoint {
    path: PathBuf,
    metadata: Metadata,
    tensors: BTreeMap<String, HostTensor>,
}

impl Checkpoint {
    /// Saves every parameter, state and scalar, and `metadata` (its version and scalars are filled in).
    ///
    /// # Errors
    /// [`CheckpointError::Write`] where the disk refuses, [`CheckpointError::NotFinite`] where a value is NaN or
    /// infinite; an older checkpoint at `path` is unchanged then.
    pub fn save(path: impl AsRef<Path>, params: &Params, mut metadata: Metadata) -> Result<()> {
        let (list, values): (Vec<ParamInfo>, Vec<HostTensor>) = params.snapshot()?.into_iter().unzip();
        let tensors: Vec<(String, HostTensor)> =
            list.iter().map(|info| info.name.clone()).zip(values).collect();
        metadata.scalars = params.scalars();
        metadata.parameters =
            list.iter().filter(|i| i.group == SlotGroup::Parameter).map(|i| i.name.clone()).collect();
        Self::write(path.as_ref(), &tensors, metadata)
    }

    /// Saves tensors by name, without a program.
    pub(crate) fn write(path: &Path, tensors: &[(String, HostTensor)], mut metadata: Metadata) -> Result<()> {
        for (name, value) in tensors {
            if let Some(value) = not_finite(value) {
                return Err(
                    CheckpointError::NotFinite { path: path.into(), name: name.clone(), value }.into()
                );
            }
        }
        metadata.version = FORMAT_VERSION;
        replace(path, &[&encode(path, tensors, &metadata)?])?;
        Ok(())
    }

    /// Reads a checkpoint and checks that it is whole.
    ///
    /// # Errors
    /// [`CheckpointError`] where the file cannot be read, is truncated, is no checkpoint, or has another version.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes =
            std::fs::read(path).map_err(|source| CheckpointError::Read { path: path.into(), source })?;
        Ok(decode(path, &bytes)?)
    }

    /// What the checkpoint says beside its tensors.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The tensors, by name.
    #[must_use]
    pub fn tensors(&self) -> &BTreeMap<String, HostTensor> {
        &self.tensors
    }

    /// Gives every parameter and state of a program its value from the checkpoint: all of them, or none. Scalars are left
    /// to the program (`set_scalar`); [`Metadata::scalars`] has them.
    ///
    /// # Errors
    /// [`CheckpointError::OtherNetwork`] with every name that differs. Nothing has changed then.
    pub fn restore(&self, params: &Params) -> Result<()> {
        self.restore_where(params, |_| true, |_| true)
    }

    /// Like [`restore`](Self::restore), for the parameters alone: optimizer states in the file or of the program are left
    /// as they are. For programs that predict.
    ///
    /// # Errors
    /// [`CheckpointError::OtherNetwork`] with every name that differs. Nothing has changed then.
    pub fn restore_parameters(&self, params: &Params) -> Result<()> {
        self.restore_where(
            params,
            |info| info.group == SlotGroup::Parameter,
            |name| self.metadata.parameters.iter().any(|p| p == name),
        )
    }

    fn restore_where(
        &self,
        params: &Params,
        wanted: impl Fn(&ParamInfo) -> bool,
        offered: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let list: Vec<ParamInfo> = params.list().into_iter().filter(|i| wanted(i)).collect();
        let mut mismatch = Mismatch::default();
        for ParamInfo { name, dtype, shape, .. } in &list {
            match self.tensors.get(name).filter(|_| offered(name)) {
                None => mismatch.missing.push(name.clone()),
                Some(t) if t.dtype() != *dtype || t.shape() != shape => {
                    mismatch.misshapen.push((name.clone(), format!("{dtype}{shape:?}"), t.to_string()));
                }
                Some(_) => {}
            }
        }
        let known = |name: &str| list.iter().any(|i| i.name == name);
        mismatch.extra = self.tensors.keys().filter(|n| offered(n) && !known(n)).cloned().collect();
        if !mismatch.is_empty() {
            return Err(CheckpointError::OtherNetwork { path: self.path.clone(), mismatch }.into());
        }
        let values = list.iter().filter_map(|i| Some((i.name.as_str(), self.tensors.get(&i.name)?)));
        Ok(params.set_all(values)?)
    }
}

/// The first value that is NaN or infinite.
fn not_finite(value: &HostTensor) -> Option<f64> {
    match value.data() {
        Data::F32(v) => v.iter().find(|x| !x.is_finite()).map(|&x| x.into()),
        Data::F64(v) => v.iter().find(|x| !x.is_finite()).copied(),
        Data::F16(v) => v.iter().find(|x| !x.is_finite()).map(|&x| x.into()),
        Data::I32(_) | Data::U32(_) | Data::Bool(_) => None,
    }
}

fn encode(
    path: &Path,
    tensors: &[(String, HostTensor)],
    metadata: &Metadata,
) -> Result<Vec<u8>, CheckpointError> {
    let invalid = |reason: String| CheckpointError::Invalid { path: path.into(), reason };
    let text = serde_json::to_string(metadata)
        .map_err(|e| invalid(format!("its metadata cannot be written: {e}")))?;
    // Files are little-endian, one byte a truth value.
    let data: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, t)| match t.data() {
            Data::F32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::F16(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::F64(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::I32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::U32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Data::Bool(v) => v.iter().map(|&b| u8::from(b)).collect(),
        })
        .collect();
    let views: Vec<(&str, TensorView<'_>)> = tensors
        .iter()
        .zip(&data)
        .map(|((name, t), bytes)| {
            let dtype = match t.dtype() {
                DType::F32 => Dtype::F32,
                DType::F16 => Dtype::F16,
                DType::F64 => Dtype::F64,
                DType::I32 => Dtype::I32,
                DType::U32 => Dtype::U32,
                DType::Bool => Dtype::BOOL,
            };
            let view = TensorView::new(dtype, t.shape().to_vec(), bytes);
            view.map(|v| (name.as_str(), v)).map_err(|e| invalid(format!("`{name}` cannot be written: {e}")))
        })
        .collect::<Result<_, _>>()?;
    let info = HashMap::from([(KEY.to_owned(), text)]);
    safetensors::serialize(views, Some(info)).map_err(|e| invalid(format!("it cannot be written: {e}")))
}

fn decode(path: &Path, bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
    let invalid = |reason: String| CheckpointError::Invalid { path: path.into(), reason };
    if bytes.is_empty() {
        return Err(invalid("the file is empty".into()));
    }
    let broken =
        |e: safetensors::SafeTensorError| invalid(format!("it is truncated or no safetensors file ({e})"));
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let Some(text) = header.metadata().as_ref().and_then(|m| m.get(KEY)) else {
        return Err(invalid("it is a safetensors file, but no checkpoint: it has no training state".into()));
    };
    // The version first: another version's metadata need not have this one's fields.
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|e| invalid(format!("its training state is damaged: {e}")))?;
    let found = value.get("version").and_then(serde_json::Value::as_u64).unwrap_or(0) as u32;
    if found != FORMAT_VERSION {
        return Err(CheckpointError::Version { path: path.into(), found, known: FORMAT_VERSION });
    }
    let metadata: Metadata =
        serde_json::from_value(value).map_err(|e| invalid(format!("its training state is damaged: {e}")))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let value = tensor(&view).map_err(|reason| invalid(format!("`{name}`: {reason}")))?;
        tensors.insert(name, value);
    }
    Ok(Checkpoint { path: path.into(), metadata, tensors })
}

fn tensor(view: &TensorView<'_>) -> Result<HostTensor, String> {
    let (bytes, shape) = (view.data(), view.shape());
    macro_rules! from_le {
        ($type:ty) => {{
            let values = bytes.chunks_exact(size_of::<$type>()).map(|b| {
                let mut word = [0; size_of::<$type>()];
                word.copy_from_slice(b);
                <$type>::from_le_bytes(word)
            });
            HostTensor::from_vec(values.collect::<Vec<$type>>(), shape)
        }};
    }
    match view.dtype() {
        Dtype::F32 => from_le!(f32),
        Dtype::F16 => from_le!(half::f16),
        Dtype::F64 => from_le!(f64),
        Dtype::I32 => from_le!(i32),
        Dtype::U32 => from_le!(u32),
        Dtype::BOOL => HostTensor::from_vec(bytes.iter().map(|&b| b != 0).collect::<Vec<bool>>(), shape),
        other => return Err(format!("element type {other:?} is not known here")),
    }
    .map_err(|e| e.to_string())
}
