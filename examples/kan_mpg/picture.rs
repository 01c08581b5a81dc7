//! What each feature does to the fuel use.

use anyhow::Result;
use knotwork::{
    Program,
    nn::{
        Dataset, Kan,
        plot::{Gallery, Panel},
    },
};

use super::{folds::Fold, network::RANGE};

/// A panel a feature: its learned function where there are cars, around its mean over them. Both axes are in standard
/// deviations.
pub fn draw(cars: &Dataset, whole: &Fold, model: &Kan, program: &Program) -> Result<Gallery> {
    let width = cars.width();
    let mut panels = Vec::with_capacity(width);
    for (input, name) in cars.names().iter().enumerate() {
        let column = |set: &Dataset| -> (f32, f32) {
            let all = set.features().iter().skip(input).step_by(width);
            all.fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), x| (a.min(*x), b.max(*x)))
        };
        let ((from, to), (low, high)) = (column(&whole.train), column(cars));
        let edge = model.edge(program.params(), 0, input, 0, 121)?;
        let seen: Vec<(f64, f64)> =
            edge.points.into_iter().filter(|(x, _)| (f64::from(from)..=f64::from(to)).contains(x)).collect();
        let mean = seen.iter().map(|p| p.1).sum::<f64>() / seen.len().max(1) as f64;
        let around: Vec<(f64, f64)> = seen.into_iter().map(|(x, y)| (x, y - mean)).collect();
        panels.push(Panel::new(name).note(&format!("from {low} to {high}")).curve(&around));
    }
    Ok(Gallery::new("What each feature does to miles per gallon")
        .legend(&["learned by a [7, 1] KAN"])
        .columns(4)
        .window((-RANGE, RANGE), (-1.5, 1.5))
        .panels(panels))
}
