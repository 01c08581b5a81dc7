//! What both networks know after each phase.

use knotwork::nn::plot::{Gallery, Panel};

use super::{Learned, peaks::curve};

/// A row of panels for each network, a panel for each phase.
pub fn draw(kan: &Learned, mlp: &Learned) -> Gallery {
    Gallery::new("Five peaks, learned one after another")
        .legend(&["learned", "true"])
        .columns(kan.curves.len())
        .window((-1.0, 1.0), (-0.5, 1.5))
        .panels(row("KAN", kan))
        .panels(row("MLP", mlp))
}

fn row(who: &str, learned: &Learned) -> Vec<Panel> {
    let panel = |(phase, curve_then): (usize, &Vec<(f64, f64)>)| {
        let name = if phase == 0 { "peak 1 seen".into() } else { format!("… and peak {}", phase + 1) };
        Panel::new(&format!("{who}, {name}")).curve(curve_then).curve(&curve())
    };
    learned.curves.iter().enumerate().map(panel).collect()
}
