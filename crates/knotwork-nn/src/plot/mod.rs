//! Plots as SVG, written by hand: lines over axes, sheets of learned edge functions, heat maps.

mod axis;
mod edges;
mod heat;
mod line;
mod svg;

pub use edges::{Edge, EdgeSheet};
pub use heat::HeatMap;
pub use line::LineChart;
