//! Which layer each box lies in, and the points at which arrows cross the layers between.

use super::Picture;

/// An arrow over more layers than this is drawn as two stubs that name their other ends: a line across a tall
/// picture cannot be followed.
pub(super) const LONG: usize = 12;

/// Something that takes room in a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Item {
    /// A box of the picture.
    Box(usize),
    /// Where an arrow crosses the layer.
    Bend(usize),
    /// The end of a stub: the arrow, and whether the stub is the one where it begins.
    Stub(usize, bool),
}

/// The items of all layers, and the short links between items of neighbouring layers.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub items: Vec<Item>,
    /// The layer of each item.
    pub layer: Vec<usize>,
    /// The items of each layer, from left to right.
    pub rows: Vec<Vec<usize>>,
    /// Links (upper item, lower item).
    pub links: Vec<(usize, usize)>,
    /// The items that each arrow passes, from its begin to its end; two chains where it is cut.
    pub paths: Vec<Vec<Vec<usize>>>,
}

impl Layers {
    fn add(&mut self, item: Item, layer: usize) -> usize {
        self.items.push(item);
        self.layer.push(layer);
        if self.rows.len() <= layer {
            self.rows.resize(layer + 1, Vec::new());
        }
        self.rows[layer].push(self.items.len() - 1);
        self.items.len() - 1
    }
}

/// The longest path from any box without arrows into it; boxes that only give are then pulled down to what they
/// give to, so that an input stands next to its first reader.
fn depths(picture: &Picture) -> Vec<usize> {
    let n = picture.nodes.len();
    let mut incoming = vec![Vec::new(); n];
    let mut outgoing = vec![Vec::new(); n];
    for arrow in &picture.arrows {
        incoming[arrow.to].push(arrow.from);
        outgoing[arrow.from].push(arrow.to);
    }
    let mut depth = vec![0; n];
    for node in 0..n {
        depth[node] = incoming[node].iter().map(|&f| depth[f] + 1).max().unwrap_or(0);
    }
    for node in 0..n {
        if incoming[node].is_empty()
            && let Some(first) = outgoing[node].iter().map(|&t| depth[t]).min()
        {
            depth[node] = first - 1;
        }
    }
    depth
}

/// Lays boxes and arrows into layers. Arrows go from lower to higher indices, so one pass suffices.
pub(super) fn layers(picture: &Picture) -> Layers {
    let mut out = Layers::default();
    let depth = depths(picture);
    for (node, &d) in depth.iter().enumerate() {
        out.add(Item::Box(node), d);
    }
    for (a, arrow) in picture.arrows.iter().enumerate() {
        let (top, bottom) = (depth[arrow.from], depth[arrow.to]);
        let chains = if bottom - top > LONG {
            let begin = out.add(Item::Stub(a, true), top + 1);
            let end = out.add(Item::Stub(a, false), bottom - 1);
            vec![vec![arrow.from, begin], vec![end, arrow.to]]
        } else {
            let mut chain = vec![arrow.from];
            for layer in top + 1..bottom {
                chain.push(out.add(Item::Bend(a), layer));
            }
            chain.push(arrow.to);
            vec![chain]
        };
        for chain in &chains {
            out.links.extend(chain.windows(2).map(|w| (w[0], w[1])));
        }
        out.paths.push(chains);
    }
    out
}
