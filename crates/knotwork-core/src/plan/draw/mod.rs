//! Pictures of graphs and plans, as DOT and as SVG, without external programs.
//!
//! A [`Picture`] is boxes and arrows from one of two sources (`of_graph`, `of_plan`). `layers`, `order` and `place`
//! lay it out in the manner of Sugiyama, Tagawa and Toda: layers by longest path, order in a layer by medians of
//! neighbours, positions by least squares under the minimal distances. `svg` and `dot` write it down.

mod dot;
mod family;
mod layers;
mod layout;
mod of_graph;
mod of_plan;
mod order;
mod picture;
mod place;
mod svg;

pub use family::Family;
pub use picture::{Arrow, Node, Picture};
