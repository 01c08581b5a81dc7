//! Which kernel variant is best for which class of shapes, as measured: plain data, by class of device.
//!
//! The tables in this folder ship with the library. `knotwork tune` writes one for the device at hand into the user's
//! cache; where it is valid, its choices come first. Nothing is ever measured inside a run, and a choice that an operation
//! does not offer is passed over, so a table can never make a plan wrong.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path};

use serde_json::{Value, json};

use super::{Lowering, Speed};

/// The version of the format that this library writes, and the latest that it reads.
pub const FORMAT: u64 = 1;

/// Choices of kernel variants.
///
/// ```
/// use knotwork_core::plan::Tuned;
/// let mut table = Tuned::new("a GPU", "driver 1.2", "d34db33f");
/// table.choose("matmul", "wide/many/long", "tile128");
/// let read = Tuned::parse(&table.to_json(), "driver 1.2")?;
/// assert_eq!(read.choice("matmul", "wide/many/long"), Some("tile128"));
/// assert!(Tuned::parse(&table.to_json(), "driver 1.3").unwrap_err().contains("driver 1.2"));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuned {
    /// The device that it was measured on; empty where nothing was measured.
    pub device: String,
    /// The driver, with its version, that it was measured with.
    pub driver: String,
    /// The commit that was measured.
    pub commit: String,
    /// Variants by class of shapes, by operation.
    choices: BTreeMap<String, BTreeMap<String, String>>,
}

impl Tuned {
    /// A table without choices.
    #[must_use]
    pub fn new(device: &str, driver: &str, commit: &str) -> Self {
        let [device, driver, commit] = [device, driver, commit].map(str::to_owned);
        Self { device, driver, commit, choices: BTreeMap::new() }
    }

    /// The table that ships for devices of such a speed.
    #[must_use]
    pub fn shipped(speed: &Speed) -> Self {
        let texts = [
            (Speed::SOFTWARE, include_str!("software.json")),
            (Speed::DISCRETE, include_str!("discrete.json")),
        ];
        let known = texts.iter().find(|(s, _)| s == speed);
        let text = known.map_or(include_str!("integrated.json"), |(_, text)| text);
        Self::read(text).unwrap_or_default()
    }

    /// Reads a table that was written for a driver.
    ///
    /// # Errors
    /// What is wrong: no table at all, a later format, another driver.
    pub fn parse(text: &str, driver: &str) -> Result<Self, String> {
        let table = Self::read(text)?;
        if table.driver != driver {
            return Err(format!("it was measured with the driver `{}`; this is `{driver}`", table.driver));
        }
        Ok(table)
    }

    fn read(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|e| format!("it is not valid JSON: {e}"))?;
        let format = value.get("format").and_then(Value::as_u64).ok_or("it has no number `format`")?;
        if format > FORMAT {
            return Err(format!("its format is {format}; this version of Knotwork reads up to {FORMAT}"));
        }
        let word = |name: &str| {
            let found = value.get(name).and_then(Value::as_str).map(str::to_owned);
            found.ok_or_else(|| format!("it has no text `{name}`"))
        };
        let mut table = Self::new(&word("device")?, &word("driver")?, &word("commit")?);
        let operations = value.get("choices").and_then(Value::as_object).ok_or("it has no `choices`")?;
        for (operation, classes) in operations {
            let classes = classes.as_object().ok_or_else(|| format!("`{operation}` has no classes"))?;
            for (class, variant) in classes {
                let name = variant.as_str().ok_or_else(|| format!("`{operation}` `{class}`: no name"))?;
                table.choose(operation, class, name);
            }
        }
        Ok(table)
    }

    /// With the choices of the table in a file before these; as it is where there is no such file, and with a warning
    /// where the file cannot be used: it is corrupt, of a later version, or was measured with another driver.
    #[must_use]
    pub fn with_file(mut self, path: &Path, driver: &str) -> Self {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return self,
            Err(e) => {
                tracing::warn!(file = %path.display(), reason = %e, "the tuned table is ignored");
                return self;
            }
        };
        match Self::parse(&text, driver) {
            Ok(table) => self.prefer(table),
            Err(reason) => tracing::warn!(file = %path.display(), %reason, "the tuned table is ignored"),
        }
        self
    }

    /// Takes another table's choices before its own.
    pub fn prefer(&mut self, other: Self) {
        for (operation, classes) in other.choices {
            self.choices.entry(operation).or_default().extend(classes);
        }
        [self.device, self.driver, self.commit] = [other.device, other.driver, other.commit];
    }

    /// Chooses a variant for a class of shapes.
    pub fn choose(&mut self, operation: &str, class: &str, variant: &str) {
        self.choices.entry(operation.into()).or_default().insert(class.into(), variant.into());
    }

    /// The variant that was best.
    #[must_use]
    pub fn choice(&self, operation: &str, class: &str) -> Option<&str> {
        self.choices.get(operation)?.get(class).map(String::as_str)
    }

    /// All choices: operation, class, variant.
    pub fn choices(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.choices.iter().flat_map(|(operation, classes)| {
            classes.iter().map(move |(class, variant)| (operation.as_str(), class.as_str(), variant.as_str()))
        })
    }

    /// Moves the variant that was best for a class of shapes to the front, where it is offered.
    pub fn order(&self, operation: &str, class: &str, variants: &mut [Lowering]) {
        let Some(best) = self.choice(operation, class) else { return };
        if let Some(at) = variants.iter().position(|l| l.variant == best) {
            variants[..=at].rotate_right(1);
        }
    }

    /// As text.
    #[must_use]
    pub fn to_json(&self) -> String {
        let all = json!({
            "format": FORMAT,
            "device": self.device,
            "driver": self.driver,
            "commit": self.commit,
            "choices": self.choices,
        });
        format!("{all:#}\n")
    }
}

#[cfg(test)]
mod tests;
