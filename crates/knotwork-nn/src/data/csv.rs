//! Tables of numbers from CSV files with a header.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use super::{CsvProblem, DataError, Dataset, Labels};
use crate::Result;

/// Reads a CSV file with a header into a [`Dataset`]: one column (or several) are labels, the others features.
///
/// ```
/// use knotwork_nn::Csv;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("iris.csv");
/// std::fs::write(&path, "width,length,name,kind\n1.5,2,a,0\n0.5,3,b,1\n")?;
/// let data = Csv::new(&path).classes("kind", 2).exclude(&["name"]).read()?;
/// assert_eq!((data.len(), data.width()), (2, 2));
/// let error = Csv::new(&path).classes("kind", 2).read().unwrap_err();
/// assert!(error.to_string().ends_with("iris.csv:2: column `name` holds text (`a`): leave it out with `exclude`"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Csv {
    path: PathBuf,
    label: Label,
    excluded: Vec<String>,
    alone: bool,
}

#[derive(Clone, Debug)]
enum Label {
    Class { column: String, classes: usize },
    Values(Vec<String>),
}

impl Csv {
    /// The file; its labels are in column `label`, numbers, until another call says otherwise.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let label = Label::Values(vec!["label".into()]);
        Self { path: path.as_ref().into(), label, excluded: Vec::new(), alone: false }
    }

    /// Labels are classes, whole numbers in 0..classes, in this column.
    #[must_use]
    pub fn classes(mut self, column: &str, classes: usize) -> Self {
        self.label = Label::Class { column: column.into(), classes };
        self
    }

    /// Labels are the numbers in these columns.
    #[must_use]
    pub fn targets(mut self, columns: &[&str]) -> Self {
        self.label = Label::Values(columns.iter().map(|c| (*c).into()).collect());
        self
    }

    /// These columns are no features.
    #[must_use]
    pub fn exclude(mut self, columns: &[&str]) -> Self {
        self.excluded = columns.iter().map(|c| (*c).into()).collect();
        self
    }

    /// Reads the [targets](Self::targets) alone, in their order; they are the features as well. Other columns may hold anything.
    ///
    /// ```
    /// use knotwork_nn::Csv;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("t.csv");
    /// std::fs::write(&path, "a,name,b\n1,x,2\n")?;
    /// assert_eq!(Csv::new(&path).targets(&["b", "a"]).only_targets().read()?.features(), [2.0, 1.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn only_targets(mut self) -> Self {
        self.alone = true;
        self
    }

    fn problem(&self, line: Option<u64>, problem: CsvProblem) -> DataError {
        DataError::Csv { path: self.path.clone(), line, problem }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`DataError`] with the file, the line, the column and the text: the file is missing or empty, a row is ragged, a
    /// field is no finite number, a column is missing, a label out of range.
    pub fn read(&self) -> Result<Dataset> {
        let bytes =
            fs::read(&self.path).map_err(|source| DataError::File { path: self.path.clone(), source })?;
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes.as_slice());
        let header: Vec<String> = match reader.headers() {
            Ok(header) => header.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect(),
            Err(e) => return Err(self.refused(&bytes, e).into()),
        };
        if header.is_empty() {
            return Err(self.problem(None, CsvProblem::Empty("no header")).into());
        }
        let mut seen = HashSet::new();
        if let Some(column) = header.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(self.problem(Some(1), CsvProblem::TwiceColumn { column: column.clone() }).into());
        }
        let find = |column: &String| {
            header.iter().position(|name| name == column).ok_or_else(|| {
                let known = header.join(", ");
                self.problem(Some(1), CsvProblem::MissingColumn { column: column.clone(), known })
            })
        };
        let label: Vec<usize> = match &self.label {
            Label::Class { column, .. } => vec![find(column)?],
            Label::Values(columns) => columns.iter().map(find).collect::<Result<_, _>>()?,
        };
        let excluded: Vec<usize> = self.excluded.iter().map(find).collect::<Result<_, _>>()?;
        let taken: Vec<usize> = if self.alone {
            label.clone()
        } else {
            (0..header.len()).filter(|c| !label.contains(c) && !excluded.contains(c)).collect()
        };
        if taken.is_empty() {
            return Err(self.problem(Some(1), CsvProblem::NoFeatures).into());
        }
        let rows: Vec<csv::StringRecord> =
            reader.records().collect::<Result<_, _>>().map_err(|e| self.refused(&bytes, e))?;
        if rows.is_empty() {
            return Err(self.problem(None, CsvProblem::Empty("a header but no row")).into());
        }
        let at = |row: &csv::StringRecord| row.position().map(|p| line(&bytes, p));
        let number = |row: &csv::StringRecord, c: usize| {
            self.number(&rows, row, c, &header[c]).map_err(|problem| self.problem(at(row), problem))
        };
        let mut features = Vec::with_capacity(rows.len() * taken.len());
        for row in &rows {
            for &c in &taken {
                features.push(number(row, c)?);
            }
        }
        let labels = match &self.label {
            Label::Class { column, classes } => {
                let class = |row: &csv::StringRecord| {
                    let text = row.get(label[0]).unwrap_or_default();
                    // `3` and `3.0` are the same class.
                    let value = text.parse::<f64>().ok().filter(|v| v.fract() == 0.0 && *v >= 0.0);
                    value
                        .filter(|v| *v < *classes as f64 && *v <= f64::from(i32::MAX))
                        .map(|v| v as i32)
                        .ok_or_else(|| {
                            let (column, text) = (column.clone(), text.to_owned());
                            self.problem(at(row), CsvProblem::Label { column, text, classes: *classes })
                        })
                };
                let values = rows.iter().map(class).collect::<Result<_, DataError>>()?;
                Labels::Classes { values, classes: *classes }
            }
            Label::Values(_) => {
                let mut values = Vec::with_capacity(rows.len() * label.len());
                for row in &rows {
                    for &c in &label {
                        values.push(number(row, c)?);
                    }
                }
                Labels::Values { values, width: label.len() }
            }
        };
        Dataset::new(features, taken.len(), labels)?
            .with_names(taken.iter().map(|&c| header[c].clone()).collect())
    }

    fn number(
        &self,
        rows: &[csv::StringRecord],
        row: &csv::StringRecord,
        c: usize,
        column: &str,
    ) -> Result<f32, CsvProblem> {
        let text = row.get(c).unwrap_or_default();
        let (column, shown) = (column.to_owned(), text.to_owned());
        let Ok(value) = text.parse::<f32>() else {
            let any = rows.iter().any(|r| r.get(c).is_some_and(|t| t.parse::<f32>().is_ok()));
            let problem = if any || text.is_empty() {
                CsvProblem::NotANumber { column, text: shown }
            } else {
                CsvProblem::TextColumn { column, text: shown }
            };
            return Err(problem);
        };
        if !value.is_finite() {
            return Err(CsvProblem::NotFinite { column, text: shown });
        }
        Ok(value)
    }

    fn refused(&self, bytes: &[u8], error: csv::Error) -> DataError {
        let at = error.position().map(|p| line(bytes, p));
        match error.into_kind() {
            csv::ErrorKind::Io(source) => DataError::File { path: self.path.clone(), source },
            csv::ErrorKind::UnequalLengths { pos, expected_len, len } => self.problem(
                pos.map(|p| line(bytes, &p)).or(at),
                CsvProblem::Ragged { expected: expected_len, got: len },
            ),
            csv::ErrorKind::Utf8 { pos, err } => self.problem(
                pos.map(|p| line(bytes, &p)).or(at),
                CsvProblem::Malformed(format!("not UTF-8: {err}")),
            ),
            other => self.problem(at, CsvProblem::Malformed(format!("{other:?}"))),
        }
    }
}

/// The line of a record; its position is before the empty lines that the reader passes by.
fn line(bytes: &[u8], position: &csv::Position) -> u64 {
    let from = bytes.get(position.byte() as usize..).unwrap_or_default();
    let empty = from.iter().take_while(|b| matches!(b, b'\r' | b'\n')).filter(|b| **b == b'\n').count();
    position.line() + empty as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], csv: impl FnOnce(Csv) -> Csv) -> Result<Dataset, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        fs::write(&path, text).unwrap();
        let shown = format!("{}", folder.path().display());
        csv(Csv::new(&path)).read().map_err(|e| e.to_string().replace(&shown, ""))
    }

    fn classes(c: Csv) -> Csv {
        c.classes("y", 3)
    }

    #[test]
    fn a_table_is_read() {
        let d = read(b"\xef\xbb\xbfa, b ,y\r\n1,2e-1,0\r\n\r\n-3,.5,2.0\r\n", classes).unwrap();
        assert_eq!(d.features(), [1.0, 0.2, -3.0, 0.5]);
        assert_eq!(d.labels(), &Labels::Classes { values: vec![0, 2], classes: 3 });
        assert_eq!(d.names(), ["a", "b"]);
        let d = read(b"a,b,c\n1,2,3\n4,5,6\n", |c| c.targets(&["c", "a"])).unwrap();
        assert_eq!(d.labels(), &Labels::Values { values: vec![3.0, 1.0, 6.0, 4.0], width: 2 });
    }

    #[test]
    fn each_problem_names_file_line_column_and_text() {
        let bad = |text: &str, want: &str| assert_eq!(read(text.as_bytes(), classes).unwrap_err(), want);
        bad("", "/t.csv: the file has no header");
        bad("a,y\n", "/t.csv: the file has a header but no row");
        bad("a,y\n1,2\n1,2,3\n", "/t.csv:3: the row has 3 fields, the header has 2");
        bad("a,y\n1,0\nx1,0\n", "/t.csv:3: column `a`: `x1` is no number");
        bad("a,y\nred,0\nblue,0\n", "/t.csv:2: column `a` holds text (`red`): leave it out with `exclude`");
        bad("a,y\n1,0\n,0\n", "/t.csv:3: column `a`: `` is no number");
        bad("a,y\n1,0\n\nNaN,0\n", "/t.csv:4: column `a`: `NaN` is not finite in f32");
        bad("a,y\n-inf,0\n", "/t.csv:2: column `a`: `-inf` is not finite in f32");
        bad("a,y\n1e99,0\n", "/t.csv:2: column `a`: `1e99` is not finite in f32");
        bad("a,z\n1,0\n", "/t.csv:1: there is no column `y`; there are: a, z");
        bad("a,a,y\n1,0,0\n", "/t.csv:1: two columns are called `a`");
        bad("y\n0\n", "/t.csv:1: no column is left for features");
        for label in ["3", "-1", "0.5", "cat", "nan"] {
            bad(
                &format!("a,y\n1,0\n1,{label}\n"),
                &format!("/t.csv:3: column `y`: label `{label}` is no class in 0..3"),
            );
        }
        assert!(read(b"a,y\n\xff,0\n", classes).unwrap_err().starts_with("/t.csv:2: not UTF-8"));
        let e = Csv::new("/no/such/file.csv").read().unwrap_err().to_string();
        assert!(e.starts_with("/no/such/file.csv: "), "{e}");
    }
}
