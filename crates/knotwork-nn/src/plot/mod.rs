//! Plots as SVG, written by hand: lines over axes, sheets of learned edge functions, galleries of functions, heat maps.

mod axis;
mod edges;
mod gallery;
mod heat;
mod line;
mod svg;

pub use edges::{Edge, EdgeSheet};
pub use gallery::{Gallery, Panel};
pub use heat::HeatMap;
pub use line::LineChart;
