//! A run of the bench beside an earlier one.

use std::{collections::BTreeMap, fmt};

use super::record::{File, Record};

/// A record of both runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The case.
    pub name: String,
    /// The variant, where both have the same.
    pub variant: String,
    /// The earlier median over this one: above 1, it is faster now.
    pub ratio: f64,
    /// Whether the medians lie further apart than both runs' spreads.
    pub clear: bool,
}

/// Both runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What makes the ratios say little.
    pub warnings: Vec<String>,
    /// What both have.
    pub pairs: Vec<Pair>,
    /// Cases that only the earlier run has, among those that were asked for now.
    pub gone: Vec<String>,
    /// Cases that only this run has.
    pub new: Vec<String>,
}

/// The earlier figure of a record: of the same variant, or, for what the planner takes by itself, of what it took then.
pub fn before<'a>(old: &'a File, now: &Record) -> Option<&'a Record> {
    let same = old.cases.iter().find(|r| r.key() == now.key());
    let chosen = || old.cases.iter().find(|r| r.chosen && r.name == now.name);
    if now.chosen { chosen().or(same) } else { same }
}

/// How many times faster a record is than an earlier one.
pub fn pair(old: &Record, now: &Record) -> Pair {
    let ratio = old.median_ns / now.median_ns;
    let spread = old.spread.max(now.spread);
    Pair {
        name: now.name.clone(),
        variant: now.variant.clone(),
        ratio,
        clear: (ratio.ln()).abs() > spread.max(0.02),
    }
}

/// What makes figures of two runs differ besides the code.
pub fn warnings(old: &File, now: &File) -> Vec<String> {
    let mut found = Vec::new();
    let mut differ = |what: &str, a: &str, b: &str| {
        if a != b {
            found.push(format!("another {what}: {a} then, {b} now"));
        }
    };
    differ("device", &old.device.name, &now.device.name);
    differ("driver", &old.device.driver, &now.device.driver);
    differ("interface", &old.device.interface, &now.device.interface);
    differ("shader profile", &old.device.profile, &now.device.profile);
    differ("build", &old.build, &now.build);
    differ("size", &old.size, &now.size);
    found
}

impl Comparison {
    /// Compares; `asked` says whether a case was asked for now.
    pub fn of(old: &File, now: &File, asked: impl Fn(&str) -> bool) -> Self {
        let pairs: Vec<Pair> = now.cases.iter().filter_map(|r| Some(pair(before(old, r)?, r))).collect();
        let names = |file: &File| -> BTreeMap<String, ()> {
            file.cases.iter().map(|r| (r.name.clone(), ())).collect()
        };
        let (then, here) = (names(old), names(now));
        Self {
            warnings: warnings(old, now),
            pairs,
            gone: then.keys().filter(|n| asked(n) && !here.contains_key(*n)).cloned().collect(),
            new: here.keys().filter(|n| !then.contains_key(*n)).cloned().collect(),
        }
    }

    /// The geometric mean of the ratios; none where nothing is in both.
    pub fn mean(&self) -> Option<f64> {
        let sum: f64 = self.pairs.iter().map(|p| p.ratio.ln()).sum();
        (!self.pairs.is_empty()).then(|| (sum / self.pairs.len() as f64).exp())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mean() {
            None => writeln!(f, "nothing is in both runs")?,
            Some(mean) => writeln!(
                f,
                "beside the earlier run: {mean:.2} times as fast over {} cases",
                self.pairs.len()
            )?,
        }
        let mut clear: Vec<&Pair> = self.pairs.iter().filter(|p| p.clear).collect();
        clear.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
        for pair in clear {
            writeln!(f, "  {:>6.2}  {}  {}", pair.ratio, pair.name, pair.variant)?;
        }
        if !self.gone.is_empty() {
            writeln!(f, "only in the earlier run: {}", self.gone.join(", "))?;
        }
        if !self.new.is_empty() {
            writeln!(f, "only in this run: {}", self.new.join(", "))?;
        }
        Ok(())
    }
}
