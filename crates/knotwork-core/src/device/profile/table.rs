//! A profile as text.

use std::fmt;

use super::{Clock, Profile};
use crate::{
    table::{Align, Table},
    units,
};

/// A rate per second, from a count and nanoseconds; `-` where nothing was counted or no time was seen.
fn rate(count: f64, ns: f64, unit: &str) -> String {
    if count <= 0.0 || ns <= 0.0 {
        return "-".into();
    }
    units::count(count / ns * 1e9, unit)
}

fn percent(count: f64, ns: f64, peak: Option<f64>) -> String {
    match peak {
        Some(peak) if peak > 0.0 && ns > 0.0 && count > 0.0 => {
            format!("{:.1} %", count / ns * 1e9 / peak * 100.0)
        }
        _ => "-".into(),
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total_ns();
        let sum = |of: fn(&super::Entry) -> f64| self.entries.iter().map(of).sum::<f64>();
        let (bytes, flops) = (sum(|e| e.bytes), sum(|e| e.flops));
        writeln!(f, "{}", self.device)?;
        writeln!(f, "  clock  {}", self.clock)?;
        if self.clock == Clock::Steps && cfg!(debug_assertions) {
            writeln!(
                f,
                "  build  debug: the CPU's loops, and with them its peak, are far slower than in a release build"
            )?;
        }
        writeln!(
            f,
            "  run    {} in {} dispatches, the median of {} run{}",
            units::time(total),
            self.entries.len(),
            self.runs,
            if self.runs == 1 { "" } else { "s" }
        )?;
        writeln!(
            f,
            "  moves  {} at least, {}; computes {}, {}",
            units::bytes(bytes as usize),
            rate(bytes, total, "B/s"),
            units::count(flops, "FLOP"),
            rate(flops, total, "FLOP/s")
        )?;
        if let Some(peak) = &self.peak {
            writeln!(
                f,
                "  peak   {}, {}, measured on this device by a copy and by chains of multiplications with additions",
                units::count(peak.bytes_per_second, "B/s"),
                units::count(peak.flops_per_second, "FLOP/s")
            )?;
        }
        writeln!(f)?;
        let mut header = vec![
            ("kernel", Align::Left),
            ("count", Align::Right),
            ("time", Align::Right),
            ("share", Align::Right),
            ("moves", Align::Right),
            ("of peak", Align::Right),
            ("computes", Align::Right),
            ("of peak", Align::Right),
        ];
        let without_peak = self.peak.is_none();
        if without_peak {
            header.retain(|(name, _)| *name != "of peak");
        }
        let mut table = Table::new(&header);
        for k in self.kernels() {
            let share = if total > 0.0 { format!("{:.1} %", k.ns / total * 100.0) } else { "-".into() };
            let mut cells = vec![
                k.kernel.clone(),
                k.count.to_string(),
                units::time(k.ns),
                share,
                rate(k.bytes, k.ns, "B/s"),
            ];
            if let Some(peak) = &self.peak {
                cells.push(percent(k.bytes, k.ns, Some(peak.bytes_per_second)));
            }
            cells.push(rate(k.flops, k.ns, "FLOP/s"));
            if let Some(peak) = &self.peak {
                cells.push(percent(k.flops, k.ns, Some(peak.flops_per_second)));
            }
            table.row(cells, Vec::new());
        }
        f.write_str(&table.text())
    }
}
