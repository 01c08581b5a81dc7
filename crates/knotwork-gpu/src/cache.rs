//! The driver's compiled pipelines on disk, where the driver can give them.
//!
//! One file an adapter under the user's cache folder; `KNOTWORK_CACHE` names another folder, or `off`. The user's tuned
//! tables lie beside them.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use knotwork_core::DeviceInfo;

/// The cache of one device.
#[derive(Debug)]
pub(crate) struct DiskCache {
    pub cache: wgpu::PipelineCache,
    path: PathBuf,
}

fn folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    match set("KNOTWORK_CACHE") {
        Some(path) if path.as_os_str() == "off" => None,
        Some(path) => Some(path),
        None => set("XDG_CACHE_HOME")
            .or_else(|| set("LOCALAPPDATA"))
            .or_else(|| Some(set("HOME")?.join(".cache")))
            .map(|p| p.join("knotwork")),
    }
}

/// Where the table of kernel variants that were measured on a device lies, for the user who runs this: `knotwork tune`
/// writes it, and opening the device reads it. `None` where there is no cache folder.
///
/// ```
/// use knotwork_core::{DeviceInfo, plan::DeviceKind};
/// let info = DeviceInfo {
///     name: "GPU (R) 9".into(),
///     kind: DeviceKind::Gpu,
///     driver: "1.2".into(),
///     interface: "vulkan".into(),
///     profile: "trusted".into(),
/// };
/// if let Some(path) = knotwork_gpu::tuned_path(&info) {
///     assert!(path.ends_with("tuned-vulkan-GPU-R-9.json"));
/// }
/// ```
#[must_use]
pub fn tuned_path(info: &DeviceInfo) -> Option<PathBuf> {
    let words = |text: &str| {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
        words.collect::<Vec<_>>().join("-")
    };
    Some(folder()?.join(format!("tuned-{}-{}.json", words(&info.interface), words(&info.name))))
}

impl DiskCache {
    /// Loads what an earlier process left; a missing or foreign file counts as empty.
    pub fn open(device: &wgpu::Device, info: &wgpu::AdapterInfo) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let path = folder()?.join(wgpu::util::pipeline_cache_key(info)?);
        let data = fs::read(&path).ok();
        let descriptor =
            wgpu::PipelineCacheDescriptor { label: Some("knotwork"), data: data.as_deref(), fallback: true };
        // SAFETY: the file was written by `save` from the driver's own data for this adapter. wgpu checks its header
        // against adapter and driver version, and falls back to an empty cache where it does not fit.
        let cache = unsafe { device.create_pipeline_cache(&descriptor) };
        Some(Self { cache, path })
    }

    /// Writes the driver's data, whole or not at all. A cache that cannot be written is no error.
    pub fn save(&self) {
        let Some(data) = self.cache.get_data() else { return };
        let Some(folder) = self.path.parent() else { return };
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(folder)?;
            // Of this save alone: several devices of one process may save at once.
            static SAVES: AtomicU64 = AtomicU64::new(0);
            let number = SAVES.fetch_add(1, Ordering::Relaxed);
            let temporary = self.path.with_extension(format!("{}.{number}.tmp", std::process::id()));
            fs::File::create(&temporary)?.write_all(&data)?;
            fs::rename(temporary, &self.path)
        };
        if let Err(error) = write() {
            tracing::debug!(%error, path = %self.path.display(), "the pipeline cache was not saved");
        }
    }
}
