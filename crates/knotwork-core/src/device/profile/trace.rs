//! A profile for other programs: a trace that Perfetto and Chrome's `about:tracing` open, and plain JSON.

use serde_json::{Value, json};

use super::Profile;

impl Profile {
    /// One run as a trace in Chrome's JSON format: the dispatches as slices, and the arena's live bytes as a counter.
    /// Times are microseconds.
    #[must_use]
    pub fn trace(&self) -> String {
        let name = |kind: &str, name: &str| json!({ "ph": "M", "pid": 1, "tid": 1, "name": kind, "args": { "name": name } });
        let mut events: Vec<Value> =
            vec![name("process_name", &self.device), name("thread_name", self.clock.name())];
        let counter = |ns: f64, bytes: usize| json!({ "ph": "C", "pid": 1, "name": "live arena bytes", "ts": ns / 1e3, "args": { "bytes": bytes } });
        let mut before = None;
        for (entry, slice) in self.entries.iter().zip(&self.timeline) {
            if before != Some(entry.step) {
                events.push(counter(slice.begin, self.live_bytes.get(entry.step).copied().unwrap_or(0)));
                before = Some(entry.step);
            }
            events.push(json!({
                "ph": "X",
                "pid": 1,
                "tid": 1,
                "cat": entry.phase.to_string(),
                "name": entry.kernel,
                "ts": slice.begin / 1e3,
                "dur": slice.ns / 1e3,
                "args": {
                    "step": entry.step,
                    "op": entry.op,
                    "variant": entry.variant,
                    "site": entry.site.to_string(),
                    "bytes": entry.bytes,
                    "flops": entry.flops,
                },
            }));
        }
        let end = self.timeline.iter().map(|s| s.begin + s.ns).fold(0.0, f64::max);
        events.push(counter(end, 0));
        json!({ "displayTimeUnit": "ns", "traceEvents": events }).to_string()
    }

    /// The profile as JSON: `device`, `clock`, `runs`, `total_ns`, `peak`, `kernels`, `entries`, `live_bytes`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let value = json!({
            "device": self.device,
            "clock": self.clock.name(),
            "runs": self.runs,
            "total_ns": self.total_ns(),
            "peak": self.peak.as_ref().map(|p| json!({
                "bytes_per_second": p.bytes_per_second,
                "flops_per_second": p.flops_per_second,
            })),
            "kernels": self.kernels().iter().map(|k| json!({
                "kernel": k.kernel, "count": k.count, "ns": k.ns, "bytes": k.bytes, "flops": k.flops,
            })).collect::<Vec<_>>(),
            "entries": self.entries.iter().zip(&self.timeline).map(|(e, s)| json!({
                "kernel": e.kernel,
                "op": e.op,
                "variant": e.variant,
                "step": e.step,
                "site": e.site.to_string(),
                "phase": e.phase.to_string(),
                "begin_ns": s.begin,
                "ns": e.ns,
                "bytes": e.bytes,
                "flops": e.flops,
            })).collect::<Vec<_>>(),
            "live_bytes": self.live_bytes,
        });
        format!("{value:#}\n")
    }
}
