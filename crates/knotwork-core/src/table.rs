//! Aligned columns of text.

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows under a header. A row may carry lines of its own that follow it, indented and not aligned.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    header: Vec<(&'static str, Align)>,
    rows: Vec<(Vec<String>, Vec<String>)>,
}

impl Table {
    pub fn new(header: &[(&'static str, Align)]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; `below` follows it.
    pub fn row(&mut self, cells: Vec<String>, below: Vec<String>) {
        self.rows.push((cells, below));
    }

    /// The table, each line ended; no line ends in a space.
    pub fn text(&self) -> String {
        let widths: Vec<usize> = (0..self.header.len())
            .map(|c| {
                let cells = self.rows.iter().filter_map(|(r, _)| r.get(c)).map(|s| s.chars().count());
                cells.max().unwrap_or(0).max(self.header[c].0.chars().count())
            })
            .collect();
        let line = |cells: &[&str]| {
            let mut out = String::new();
            for ((cell, width), (_, align)) in cells.iter().zip(&widths).zip(&self.header) {
                out.push_str("  ");
                out.push_str(&match align {
                    Align::Left => format!("{cell:<width$}"),
                    Align::Right => format!("{cell:>width$}"),
                });
            }
            out.trim_end().to_owned() + "\n"
        };
        let mut out = line(&self.header.iter().map(|h| h.0).collect::<Vec<_>>());
        for (cells, below) in &self.rows {
            out.push_str(&line(&cells.iter().map(String::as_str).collect::<Vec<_>>()));
            for text in below {
                out.push_str("      ");
                out.push_str(text);
                out.push('\n');
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut t = Table::new(&[("a", Align::Left), ("bytes", Align::Right), ("c", Align::Left)]);
        t.row(vec!["long".into(), "1".into(), "é".into()], vec!["below".into()]);
        t.row(vec!["x".into(), "1234567".into(), "last".into()], Vec::new());
        assert_eq!(t.text(), "  a       bytes  c\n  long        1  é\n      below\n  x     1234567  last\n");
    }
}
