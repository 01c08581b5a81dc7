//! The solution that was found beside the true one, and the functions that it is made of.

use std::path::Path;

use anyhow::Result;
use knotwork::{
    Program,
    nn::{
        Kan,
        plot::{EdgeSheet, Gallery, Panel},
    },
};

use super::poisson::{SIDE, at_middles, solution};

/// Rows of the lattice that are shown, from the lowest y.
const ROWS: [usize; 6] = [3, 7, 11, 20, 24, 28];

/// Writes `solution.svg`, and `layer-L.svg` for each layer.
pub fn save(folder: &Path, model: &Kan, program: &mut Program) -> Result<()> {
    let [points, u, _] = at_middles(program)?;
    let panels = ROWS.map(|row| {
        let at = |cell: &usize| (points[2 * cell], points[2 * cell + 1]);
        let cells: Vec<usize> = (row * SIDE..(row + 1) * SIDE).collect();
        let curve = |f: &dyn Fn(usize) -> f64| cells.iter().map(|c| (at(c).0, f(*c))).collect::<Vec<_>>();
        let truth = |cell: usize| solution(at(&cell).0, at(&cell).1);
        Panel::new(&format!("y = {:.2}", at(&cells[0]).1))
            .curve(&curve(&|c| u[c]))
            .curve(&curve(&truth))
            .curve(&curve(&|c| 1000.0 * (u[c] - truth(c))))
    });
    Gallery::new("Poisson's equation: u along six lines")
        .legend(&["found", "true", "error, 1,000 times"])
        .columns(3)
        .window((-1.0, 1.0), (-1.1, 1.1))
        .panels(panels)
        .save(folder.join("solution.svg"))?;
    for layer in 0..model.depth() {
        EdgeSheet::new(&format!("Poisson's equation: the functions of layer {layer}"))
            .edges(model.edges(program.params(), layer, 81)?)
            .names(if layer == 0 { &["x", "y"] } else { &[] }, if layer == 0 { &[] } else { &["u"] })
            .save(folder.join(format!("layer-{layer}.svg")))?;
    }
    Ok(())
}
