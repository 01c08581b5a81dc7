//! Numbers for people: bytes, counts and times with three significant digits and a unit.

/// Bytes with a binary prefix.
///
/// ```
/// use knotwork_core::units::bytes;
/// assert_eq!(bytes(0), "0 B");
/// assert_eq!(bytes(1000), "1000 B");
/// assert_eq!(bytes(1536), "1.50 KiB");
/// assert_eq!(bytes(300 << 20), "300 MiB");
/// ```
#[must_use]
pub fn bytes(n: usize) -> String {
    if n < 1024 {
        return format!("{n} B");
    }
    let (mut value, mut unit) = (n as f64 / 1024.0, 0);
    while value >= 999.5 && unit < 4 {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", three(value), ["KiB", "MiB", "GiB", "TiB", "PiB"][unit])
}

/// A count of operations or a rate, with a decimal prefix before its unit.
///
/// ```
/// use knotwork_core::units::count;
/// assert_eq!(count(0.0, "FLOP"), "0 FLOP");
/// assert_eq!(count(512.0, "FLOP"), "512 FLOP");
/// assert_eq!(count(2_097_152.0, "FLOP"), "2.10 MFLOP");
/// assert_eq!(count(3.25e10, "B/s"), "32.5 GB/s");
/// ```
#[must_use]
pub fn count(value: f64, unit: &str) -> String {
    if !value.is_finite() {
        return format!("- {unit}");
    }
    let (mut scaled, mut prefix) = (value, 0);
    while scaled >= 999.5 && prefix < 5 {
        scaled /= 1000.0;
        prefix += 1;
    }
    let shown = if prefix == 0 && scaled.fract() == 0.0 { format!("{scaled}") } else { three(scaled) };
    format!("{shown} {}{unit}", ["", "k", "M", "G", "T", "P"][prefix])
}

/// A time given in nanoseconds.
///
/// ```
/// use knotwork_core::units::time;
/// assert_eq!(time(250.0), "250 ns");
/// assert_eq!(time(12_345.0), "12.3 us");
/// assert_eq!(time(2.5e9), "2.50 s");
/// ```
#[must_use]
pub fn time(ns: f64) -> String {
    let (mut scaled, mut unit) = (ns, 0);
    while scaled >= 999.5 && unit < 3 {
        scaled /= 1000.0;
        unit += 1;
    }
    format!(
        "{} {}",
        if unit == 0 { format!("{scaled:.0}") } else { three(scaled) },
        ["ns", "us", "ms", "s"][unit]
    )
}

/// Three significant digits, for values from 0 to 1000.
fn three(value: f64) -> String {
    match value {
        v if v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}
