//! Numbers of a kernel in a uniform: what the host writes, and how the text reads it, from one place.

/// Words of a uniform with a member `words: array<vec4<u32>, …>`.
#[derive(Debug)]
pub(in crate::ops) struct Words {
    uniform: &'static str,
    first: usize,
    values: Vec<u32>,
}

impl Words {
    /// Words of that uniform from index `first` on.
    pub fn new(uniform: &'static str, first: usize) -> Self {
        Self { uniform, first, values: Vec::new() }
    }

    /// Appends a word; gives the expression that reads it.
    pub fn push(&mut self, value: u32) -> String {
        let at = self.first + self.values.len();
        self.values.push(value);
        format!("{}.words[{}].{}", self.uniform, at / 4, ["x", "y", "z", "w"][at % 4])
    }

    /// Appends a size; those above `u32` cannot be bound anyway and saturate.
    pub fn size(&mut self, value: usize) -> String {
        self.push(u32::try_from(value).unwrap_or(u32::MAX))
    }

    /// Appends a float.
    pub fn float(&mut self, value: f64) -> String {
        let word = self.push((value as f32).to_bits());
        format!("bitcast<f32>({word})")
    }

    /// What was appended.
    pub fn values(&self) -> &[u32] {
        &self.values
    }
}
