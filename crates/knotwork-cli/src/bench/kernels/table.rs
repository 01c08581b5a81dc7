//! The figures for people, a line as soon as it is known.

use std::io::{Result, Write};

use knotwork::{Device, units};

use super::{
    compare::pair,
    record::{File, Note, Record},
};

/// How the lines are laid out.
#[derive(Clone, Copy, Debug)]
pub struct Lines {
    name: usize,
    compared: bool,
}

impl Lines {
    /// For cases of these names, with or without a column of ratios.
    pub fn new<'a>(names: impl Iterator<Item = &'a str>, compared: bool) -> Self {
        Self { name: names.map(str::len).max().unwrap_or(0).max(4), compared }
    }

    /// What it runs on, and the names of the columns.
    pub fn header(&self, device: &Device, file: &File, out: &mut impl Write) -> Result<()> {
        writeln!(out, "{}", device.info())?;
        writeln!(
            out,
            "knotwork {} ({} build, commit {}), {} shapes, seed {}",
            file.knotwork, file.build, file.commit, file.size, file.seed
        )?;
        if file.build == "debug" {
            writeln!(out, "a debug build: the CPU's loops are far slower than in a release build")?;
        }
        if let Some(peak) = &file.peak {
            writeln!(
                out,
                "peak {}, {}, measured on this device by a copy and by chains of multiplications with additions",
                units::count(peak.bytes_per_second, "B/s"),
                units::count(peak.flops_per_second, "FLOP/s")
            )?;
        }
        let ratio = if self.compared { format!("{:>8}", "speed-up") } else { String::new() };
        writeln!(
            out,
            "\n{:name$}  {:>8} {:>8} {:>7}  {:>9} {:>8}  {:>12} {:>8}{ratio}  variant",
            "case",
            "median",
            "least",
            "spread",
            "moves",
            "of peak",
            "computes",
            "of peak",
            name = self.name,
        )
    }

    /// One case.
    pub fn measured(&self, r: &Record, before: Option<&Record>, out: &mut impl Write) -> Result<()> {
        let percent = |x: Option<f64>| x.map_or("-".into(), |x| format!("{:.1} %", x * 100.0));
        let ratio = match (self.compared, before) {
            (false, _) => String::new(),
            (true, None) => format!("{:>8}", "-"),
            (true, Some(old)) => format!("{:>8.2}", pair(old, r).ratio),
        };
        let checked =
            if r.checked == "oracle" { String::new() } else { format!("  (checked against: {})", r.checked) };
        let line = format!(
            "{:name$}  {:>8} {:>8} {:>7}  {:>9} {:>8}  {:>12} {:>8}{ratio}  {}{checked}",
            r.name,
            units::time(r.median_ns),
            units::time(r.min_ns),
            format!("{:.0} %", r.spread * 100.0),
            units::count(r.bytes_per_second, "B/s"),
            percent(r.of_peak_bytes),
            units::count(r.flops_per_second, "FLOP/s"),
            percent(r.of_peak_flops),
            r.variant,
            name = self.name,
        );
        writeln!(out, "{}", line.trim_end())
    }

    /// A case without figures.
    pub fn note(&self, what: &str, note: &Note, out: &mut impl Write) -> Result<()> {
        writeln!(out, "{:name$}  {what}: {} {}", note.name, note.variant, note.message, name = self.name)
    }
}
