//! What a range of a plan's memory is called: by the input, parameter or value that lies there.

use super::{BufferId, BufferKind, BufferRange, Place, Plan, SlotPlace};
use crate::{graph::SlotGroup, tensor::format_shape};

impl Plan {
    /// The parameters and states in a range of a buffer, in the order in which they lie.
    #[must_use]
    pub fn slots_in(&self, buffer: BufferId, offset: usize, bytes: usize) -> Vec<&SlotPlace> {
        let Some(BufferKind::Chunk(chunk)) = self.buffers.get(buffer.0).map(|b| &b.kind) else {
            return Vec::new();
        };
        let inside = |s: &&SlotPlace| {
            s.chunk == *chunk && s.offset < offset + bytes.max(1) && offset < s.offset + s.bytes().max(1)
        };
        let mut found: Vec<&SlotPlace> = self.slots.iter().filter(inside).collect();
        found.sort_by_key(|s| s.offset);
        found
    }

    /// What lies in a range of a buffer: `x`, `hidden.weight`, `4 parameters`, `b7+256`.
    #[must_use]
    pub fn name_of(&self, buffer: BufferId, offset: usize, bytes: usize) -> String {
        let plain = match offset {
            0 => format!("b{}", buffer.0),
            _ => format!("b{}+{offset}", buffer.0),
        };
        match self.buffers.get(buffer.0).map(|b| &b.kind) {
            Some(BufferKind::Feed(f)) => self.feeds.get(*f).map_or(plain, |f| f.name.clone()),
            Some(BufferKind::Scalars) => {
                let found = self.scalars.iter().find(|s| s.offset == offset);
                found.map_or(plain, |s| s.name.clone())
            }
            Some(BufferKind::Constant(t)) => format!("constant {}{}", t.dtype(), format_shape(t.shape())),
            Some(BufferKind::Status) => "status".into(),
            Some(BufferKind::Chunk(_)) => match self.slots_in(buffer, offset, bytes).as_slice() {
                [] => plain,
                [one] => one.name.clone(),
                many => format!("{} {}", many.len(), kinds(many)),
            },
            _ => plain,
        }
    }

    pub(crate) fn name_of_place(&self, place: &Place) -> String {
        self.name_of(place.buffer, place.offset, place.bytes)
    }

    pub(crate) fn name_of_range(&self, range: &BufferRange) -> String {
        self.name_of(range.buffer, range.offset, range.bytes)
    }
}

/// `parameters`, or the states' common name, or `slots`.
fn kinds(slots: &[&SlotPlace]) -> String {
    match slots {
        [first, rest @ ..] if rest.iter().all(|s| s.group == first.group) => match &first.group {
            SlotGroup::Parameter => "parameters".into(),
            SlotGroup::State(name) => format!("states `{name}`"),
        },
        _ => "slots".into(),
    }
}
