//! A table in memory: features, and what they should give.

use knotwork_core::HostTensor;

use super::{DataError, Order};
use crate::Result;

/// What the features of each row should give.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// One class a row, each in 0..classes.
    Classes {
        /// The class of each row.
        values: Vec<i32>,
        /// One past the largest class.
        classes: usize,
    },
    /// Numbers, `width` a row, row-major.
    Values {
        /// All rows.
        values: Vec<f32>,
        /// Numbers of a row.
        width: usize,
    },
}

/// Rows of features (f32 `[N, F]`) and labels (i32 `[N]`, or f32 `[N, T]`).
///
/// ```
/// use knotwork_nn::{Dataset, Labels};
/// let data = Dataset::new(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 2, Labels::Classes { values: vec![0, 1, 0], classes: 2 })?;
/// let (train, test) = data.split_every(3)?; // rows 0, 3, 6, … are for the test
/// assert_eq!((train.len(), test.len()), (2, 1));
/// let sizes: Vec<usize> = data.batches(2).map(|b| b.len()).collect();
/// assert_eq!(sizes, [2, 1]);
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    features: Vec<f32>,
    width: usize,
    rows: usize,
    labels: Labels,
    names: Vec<String>,
}

/// Some rows of a data set, as tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The features, f32 [n, F].
    pub x: HostTensor,
    /// The labels, i32 `[n]` or f32 `[n, T]`.
    pub y: HostTensor,
}

impl Batch {
    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.x.shape().first().copied().unwrap_or(0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Dataset {
    /// Rows of `width` features each, row-major, and a label a row.
    ///
    /// # Errors
    /// [`DataError::Shape`] where the numbers of rows differ or a class is out of range.
    pub fn new(features: Vec<f32>, width: usize, labels: Labels) -> Result<Self> {
        let refuse = |message: String| Err(DataError::Shape(message).into());
        if width == 0 || !features.len().is_multiple_of(width) {
            return refuse(format!("{} features are no rows of {width}", features.len()));
        }
        let rows = features.len() / width;
        let labelled = match &labels {
            Labels::Classes { values, classes } => {
                if let Some((row, c)) = values
                    .iter()
                    .enumerate()
                    .find(|(_, c)| usize::try_from(**c).map_or(true, |c| c >= *classes))
                {
                    return refuse(format!("row {row} has class {c}, outside 0..{classes}"));
                }
                values.len()
            }
            Labels::Values { width: 0, .. } => return refuse("labels have width 0".into()),
            Labels::Values { values, width } if !values.len().is_multiple_of(*width) => {
                return refuse(format!("{} label values are no rows of {width}", values.len()));
            }
            Labels::Values { values, width } => values.len() / width,
        };
        if labelled != rows {
            return refuse(format!("{rows} rows of features, {labelled} of labels"));
        }
        let names = (0..width).map(|i| format!("x{i}")).collect();
        Ok(Self { features, width, rows, labels, names })
    }

    /// With names for the features.
    ///
    /// # Errors
    /// [`DataError::Shape`] where there are not as many names as features.
    pub fn with_names(mut self, names: Vec<String>) -> Result<Self> {
        if names.len() != self.width {
            return Err(DataError::Shape(format!("{} names for {} features", names.len(), self.width)).into());
        }
        self.names = names;
        Ok(self)
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The number of features, F.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The features' names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// All features, row-major.
    #[must_use]
    pub fn features(&self) -> &[f32] {
        &self.features
    }

    /// All labels.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Moves features evenly from one range to another: pixels of 0..=16 to the −1..=1 of a spline's grid.
    ///
    /// # Errors
    /// [`DataError::Shape`] where `from` is empty or a number is not finite.
    pub fn rescale(mut self, from: (f32, f32), to: (f32, f32)) -> Result<Self> {
        if ![from.0, from.1, to.0, to.1].iter().all(|x| x.is_finite()) || from.0 == from.1 {
            return Err(DataError::Shape(format!("features cannot be moved from {from:?} to {to:?}")).into());
        }
        let slope = (to.1 - to.0) / (from.1 - from.0);
        self.features.iter_mut().for_each(|x| *x = to.0 + (*x - from.0) * slope);
        Ok(self)
    }

    /// Some rows, in this order; a row may be taken several times.
    ///
    /// # Errors
    /// [`DataError::Shape`] where there is no such row.
    pub fn select(&self, rows: &[usize]) -> Result<Self> {
        if let Some(row) = rows.iter().find(|r| **r >= self.rows) {
            return Err(DataError::Shape(format!("there is no row {row}: there are {}", self.rows)).into());
        }
        Ok(self.pick(rows))
    }

    fn pick(&self, rows: &[usize]) -> Self {
        let pick = |values: &[f32], width: usize| -> Vec<f32> {
            rows.iter().flat_map(|&r| values[r * width..(r + 1) * width].iter().copied()).collect()
        };
        let labels = match &self.labels {
            Labels::Classes { values, classes } => {
                Labels::Classes { values: rows.iter().map(|&r| values[r]).collect(), classes: *classes }
            }
            Labels::Values { values, width } => {
                Labels::Values { values: pick(values, *width), width: *width }
            }
        };
        Self {
            features: pick(&self.features, self.width),
            width: self.width,
            rows: rows.len(),
            labels,
            names: self.names.clone(),
        }
    }

    /// (the rest, every k-th row from the first): rows 0, k, 2k, … are held out for the test.
    ///
    /// # Errors
    /// [`DataError::Shape`] where k is below 2, or too few rows leave a side empty.
    pub fn split_every(&self, k: usize) -> Result<(Self, Self)> {
        if k < 2 || self.rows < 2 {
            return Err(DataError::Shape(format!(
                "{} rows cannot be split by every {k}-th: k must be at least 2, and so must the rows",
                self.rows
            ))
            .into());
        }
        let (test, train): (Vec<usize>, Vec<usize>) = (0..self.rows).partition(|r| r % k == 0);
        Ok((self.pick(&train), self.pick(&test)))
    }

    /// Some rows as tensors.
    ///
    /// # Errors
    /// [`DataError::Shape`] where there is no such row.
    pub fn batch(&self, rows: &[usize]) -> Result<Batch> {
        self.select(rows)?.into_batch()
    }

    fn into_batch(self) -> Result<Batch> {
        let x = HostTensor::from_vec(self.features, [self.rows, self.width])?;
        let y = match self.labels {
            Labels::Classes { values, .. } => HostTensor::from_vec(values, [self.rows])?,
            Labels::Values { values, width } => HostTensor::from_vec(values, [self.rows, width])?,
        };
        Ok(Batch { x, y })
    }

    /// All rows as tensors.
    ///
    /// # Errors
    /// None today.
    pub fn whole(&self) -> Result<Batch> {
        self.clone().into_batch()
    }

    /// All rows in their order, `size` at a time; the last batch may be smaller.
    pub fn batches(&self, size: usize) -> impl Iterator<Item = Batch> + '_ {
        let rows: Vec<usize> = (0..self.rows).collect();
        self.in_order(rows, size)
    }

    /// All rows in the order of an epoch, `size` at a time; the last batch may be smaller.
    pub fn shuffled(&self, order: &Order, size: usize) -> impl Iterator<Item = Batch> + '_ {
        self.in_order(order.epoch_order(self.rows), size)
    }

    fn in_order(&self, rows: Vec<usize>, size: usize) -> impl Iterator<Item = Batch> + '_ {
        let size = size.max(1);
        // Every row of the order exists, so no batch fails.
        (0..rows.len().div_ceil(size))
            .filter_map(move |b| self.batch(&rows[b * size..rows.len().min((b + 1) * size)]).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Dataset {
        let labels = Labels::Classes { values: vec![0, 1, 2, 0, 1], classes: 3 };
        Dataset::new((0..10).map(|x| x as f32).collect(), 2, labels).unwrap()
    }

    #[test]
    fn rows_stay_with_their_labels() {
        let order = Order::at(5, 2, 0);
        let mut seen = Vec::new();
        for b in data().shuffled(&order, 2) {
            for (x, y) in b.x.as_slice::<f32>().unwrap().chunks(2).zip(b.y.as_slice::<i32>().unwrap()) {
                let row = x[0] as usize / 2;
                assert_eq!(*y, (row % 3) as i32);
                seen.push(row);
            }
        }
        assert_eq!(seen, order.epoch_order(5));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let bad = |f: Vec<f32>, w, l| Dataset::new(f, w, l).unwrap_err().to_string();
        let classes = |values: Vec<i32>| Labels::Classes { values, classes: 2 };
        assert_eq!(bad(vec![0.0; 3], 2, classes(vec![0])), "data: 3 features are no rows of 2");
        assert_eq!(bad(vec![0.0; 4], 2, classes(vec![0])), "data: 2 rows of features, 1 of labels");
        assert_eq!(bad(vec![0.0; 4], 2, classes(vec![0, 2])), "data: row 1 has class 2, outside 0..2");
        assert_eq!(bad(vec![0.0; 4], 2, classes(vec![-1, 0])), "data: row 0 has class -1, outside 0..2");
        assert!(data().split_every(1).is_err() && data().select(&[5]).is_err());
    }

    #[test]
    fn pixels_move_to_the_grid() {
        let d = data().rescale((0.0, 16.0), (-1.0, 1.0)).unwrap();
        assert_eq!(d.features()[..3], [-1.0, -0.875, -0.75]);
        let (train, test) = d.split_every(2).unwrap();
        assert_eq!((train.len(), test.len()), (2, 3));
        assert_eq!(test.labels(), &Labels::Classes { values: vec![0, 2, 1], classes: 3 });
    }
}
