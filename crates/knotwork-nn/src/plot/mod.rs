//! Pictures: whole networks with the functions on their edges, one edge with its data, training curves, sheets of learned
//! functions, galleries, heat maps. Each is SVG, and PNG where the cargo feature `png` is on.

mod axis;
mod comparison;
mod curve;
mod diagram;
mod edge_plot;
mod edges;
mod error;
mod figure;
#[cfg(feature = "png")]
mod font;
mod frame;
mod gallery;
mod heat;
mod legend;
mod line;
mod names;
#[cfg(feature = "png")]
mod png;
mod svg;
mod text;

pub use comparison::Comparison;
pub use diagram::{Diagram, DiagramEdge, DiagramLayer};
pub use edge_plot::EdgePlot;
pub use edges::{Edge, EdgeSheet};
pub use error::PlotError;
pub use gallery::{Gallery, Panel};
pub use heat::HeatMap;
pub use line::LineChart;
#[cfg(feature = "png")]
pub use png::PngSize;
