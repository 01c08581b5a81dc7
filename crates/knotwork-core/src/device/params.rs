//! Parameters and states on a device, shared by all programs over one graph.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Device, Memory};
use crate::{
    Error, Result,
    graph::{Slot, SlotGroup, SlotId},
    plan::SlotPlaces,
    tensor::{DType, HostTensor, format_shape},
};

/// What is known of one parameter or state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamInfo {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub group: SlotGroup,
    /// Its element type.
    pub dtype: DType,
    /// Its shape.
    pub shape: Vec<usize>,
}

#[derive(Debug)]
struct Entry {
    info: ParamInfo,
    chunk: usize,
    offset: usize,
}

#[derive(Debug, Default)]
struct Inner {
    entries: BTreeMap<SlotId, Entry>,
    chunks: Vec<(Arc<dyn Memory>, usize)>,
    scalars: BTreeMap<String, f64>,
}

/// The parameters, states and scalars of the programs over one graph. Cloning gives another handle on them, which keeps
/// them alive: they can be read and written when all programs over them are gone.
///
/// Reading waits for the runs that were started before and sees a whole number of updates. All methods may be called from
/// several threads.
#[derive(Clone, Debug)]
pub struct Params {
    device: Device,
    inner: Arc<Mutex<Inner>>,
}

/// One run at a time may use the parameters; the guard is that turn.
pub(super) struct Turn<'a>(MutexGuard<'a, Inner>);

impl Params {
    pub(super) fn new(device: Device) -> Self {
        Self { device, inner: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is made whole before the lock is released, so a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn turn(&self) -> Turn<'_> {
        Turn(self.lock())
    }

    /// Gives memory to the slots that have none yet, with their initial values. Slots of one group and type are
    /// packed side by side, in the graph's order.
    pub(super) fn ensure(&self, slots: &[(SlotId, Slot)]) -> Result<()> {
        let capabilities = self.device.capabilities();
        let align = capabilities.offset_alignment.max(16);
        let mut inner = self.lock();
        let mut groups: BTreeMap<(SlotGroup, DType), Vec<&(SlotId, Slot)>> = BTreeMap::new();
        for entry in slots.iter().filter(|(id, _)| !inner.entries.contains_key(id)) {
            groups.entry((entry.1.group.clone(), entry.1.init.dtype())).or_default().push(entry);
        }
        let limit = capabilities.max_binding_bytes.min(capabilities.max_buffer_bytes);
        let mut entries = Vec::new();
        let mut chunks = Vec::new();
        for members in groups.values() {
            let mut chunk: Vec<(&SlotId, &Slot, usize)> = Vec::new();
            let mut size = 0;
            for (id, slot) in members {
                let bytes = slot.init.count() * slot.init.dtype().bytes();
                if bytes > limit {
                    return Err(Error::Params(format!(
                        "`{}` has {bytes} bytes; {} binds at most {limit}",
                        slot.name, capabilities.device
                    )));
                }
                if size + bytes > limit {
                    chunks.push((std::mem::take(&mut chunk), size));
                    size = 0;
                }
                chunk.push((id, slot, size));
                // An empty value still needs a byte to bind.
                size += bytes.max(1).div_ceil(align) * align;
            }
            chunks.push((chunk, size));
        }
        // Kept only when all are there: where memory runs out, nothing has changed.
        let mut made = Vec::new();
        for (members, size) in chunks {
            let memory = self.device.backend().allocate(size.max(align))?;
            for (id, slot, offset) in members {
                memory.write(offset, &slot.init)?;
                let info = ParamInfo {
                    name: slot.name.clone(),
                    group: slot.group.clone(),
                    dtype: slot.init.dtype(),
                    shape: slot.init.shape().to_vec(),
                };
                entries.push((*id, Entry { info, chunk: inner.chunks.len() + made.len(), offset }));
            }
            made.push((memory, size.max(align)));
        }
        inner.chunks.extend(made);
        inner.entries.extend(entries);
        Ok(())
    }

    /// All parameters and states, in the graph's order.
    #[must_use]
    pub fn list(&self) -> Vec<ParamInfo> {
        self.lock().entries.values().map(|e| e.info.clone()).collect()
    }

    /// The value of a parameter or state; waits for what runs.
    ///
    /// # Errors
    /// Where there is none of that name.
    pub fn get(&self, name: &str) -> Result<HostTensor> {
        let inner = self.lock();
        let entry = find(&inner, name)?;
        inner.chunks[entry.chunk].0.read(entry.offset, entry.info.dtype, &entry.info.shape)
    }

    /// The memory in which a parameter or state lies, from which byte on, and how many bytes it has: for a backend's doors.
    ///
    /// # Errors
    /// Where there is none of that name.
    pub fn memory(&self, name: &str) -> Result<(Arc<dyn Memory>, usize, usize)> {
        let inner = self.lock();
        let entry = find(&inner, name)?;
        let bytes = entry.info.dtype.bytes() * entry.info.shape.iter().product::<usize>();
        Ok((inner.chunks[entry.chunk].0.clone(), entry.offset, bytes))
    }

    /// All parameters and states with their values, of one moment: no run comes between two of them.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn snapshot(&self) -> Result<Vec<(ParamInfo, HostTensor)>> {
        let inner = self.lock();
        let read = |e: &Entry| inner.chunks[e.chunk].0.read(e.offset, e.info.dtype, &e.info.shape);
        inner.entries.values().map(|e| Ok((e.info.clone(), read(e)?))).collect()
    }

    /// Gives a parameter or state another value.
    ///
    /// # Errors
    /// Where there is none of that name, or it has another type or shape. Nothing has changed then.
    pub fn set(&self, name: &str, value: &HostTensor) -> Result<()> {
        let inner = self.lock();
        check(find(&inner, name)?, value)?;
        write(&inner, name, value)
    }

    /// Gives several parameters and states other values: all of them, or none.
    ///
    /// # Errors
    /// Where one does not exist or has another type or shape. Nothing has changed then.
    pub fn set_all<'a>(&self, values: impl IntoIterator<Item = (&'a str, &'a HostTensor)>) -> Result<()> {
        let values: Vec<_> = values.into_iter().collect();
        let inner = self.lock();
        for (name, value) in &values {
            check(find(&inner, name)?, value)?;
        }
        values.iter().try_for_each(|(name, value)| write(&inner, name, value))
    }

    /// The values that scalars were set to.
    #[must_use]
    pub fn scalars(&self) -> BTreeMap<String, f64> {
        self.lock().scalars.clone()
    }

    pub(super) fn set_scalar(&self, name: &str, value: f64) {
        self.lock().scalars.insert(name.into(), value);
    }
}

fn find<'a>(inner: &'a Inner, name: &str) -> Result<&'a Entry> {
    inner.entries.values().find(|e| e.info.name == name).ok_or_else(|| {
        let known: Vec<&str> = inner.entries.values().map(|e| e.info.name.as_str()).collect();
        Error::Params(format!("there is no `{name}`; there are: {}", known.join(", ")))
    })
}

fn check(entry: &Entry, value: &HostTensor) -> Result<()> {
    let ParamInfo { name, dtype, shape, .. } = &entry.info;
    if value.dtype() != *dtype || value.shape() != shape {
        return Err(Error::Params(format!("`{name}` is {dtype}{}, was given {value}", format_shape(shape))));
    }
    Ok(())
}

fn write(inner: &Inner, name: &str, value: &HostTensor) -> Result<()> {
    let entry = find(inner, name)?;
    inner.chunks[entry.chunk].0.write(entry.offset, value)
}

impl Turn<'_> {
    pub fn chunks(&self) -> Vec<Arc<dyn Memory>> {
        self.0.chunks.iter().map(|(m, _)| m.clone()).collect()
    }

    /// The chunks of these slots, each once: (index, bytes).
    pub fn chunks_of(&self, slots: impl Iterator<Item = SlotId>) -> Vec<(usize, usize)> {
        let chunks: BTreeSet<usize> = slots.map(|slot| self.0.entries[&slot].chunk).collect();
        chunks.into_iter().map(|chunk| (chunk, self.0.chunks[chunk].1)).collect()
    }

    /// What a slot holds.
    pub fn read(&self, slot: SlotId) -> Result<HostTensor> {
        let Entry { info, chunk, offset } = &self.0.entries[&slot];
        self.0.chunks[*chunk].0.read(*offset, info.dtype, &info.shape)
    }

    /// Gives a slot another value, of its type and shape.
    pub fn write(&self, slot: SlotId, value: &HostTensor) -> Result<()> {
        let Entry { chunk, offset, .. } = &self.0.entries[&slot];
        self.0.chunks[*chunk].0.write(*offset, value)
    }

    /// The scalars that were set.
    pub fn scalars(&self) -> &BTreeMap<String, f64> {
        &self.0.scalars
    }

    pub fn scalar(&self, name: &str, default: f64) -> f64 {
        self.0.scalars.get(name).copied().unwrap_or(default)
    }
}

impl SlotPlaces for Turn<'_> {
    fn place(&self, slot: SlotId) -> (usize, usize) {
        let entry = &self.0.entries[&slot];
        (entry.chunk, entry.offset)
    }

    fn chunks(&self) -> Vec<usize> {
        self.0.chunks.iter().map(|(_, bytes)| *bytes).collect()
    }
}
