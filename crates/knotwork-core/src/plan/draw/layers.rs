//! Which layer each box lies in, and the points at which arrows cross the layers between.

use std::collections::HashMap;

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
    /// The end of the stub of a box, for all its long arrows: whether they begin in the box.
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
    /// The items that each arrow passes, from its begin, or where it branches off another, to its end; where it is cut,
    /// the stubs that no arrow before it has drawn.
    pub paths: Vec<Vec<Vec<usize>>>,
    /// The arrows that are cut.
    pub cut: Vec<usize>,
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

/// The longest path from any box without arrows into it. Boxes are then pulled down to their first reader, where that
/// makes arrows no longer in sum: an input, or a weight's transpose, stands next to what needs it.
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
    for node in (0..n).rev() {
        if incoming[node].len() <= outgoing[node].len()
            && let Some(first) = outgoing[node].iter().map(|&t| depth[t]).min()
        {
            depth[node] = first - 1;
        }
    }
    depth
}

/// For each item, a number of the connected part that it belongs to, in the order of first items.
pub(super) fn parts(n: usize, links: &[(usize, usize)]) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..n).collect();
    fn root(parent: &mut [usize], mut i: usize) -> usize {
        while parent[i] != i {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        i
    }
    for &(a, b) in links {
        let (a, b) = (root(&mut parent, a), root(&mut parent, b));
        parent[a.max(b)] = a.min(b);
    }
    (0..n).map(|i| root(&mut parent, i)).collect()
}

/// Lays boxes and arrows into layers. Arrows go from lower to higher indices, so one pass suffices.
pub(super) fn layers(picture: &Picture) -> Layers {
    let mut out = Layers::default();
    let depth = depths(picture);
    for (node, &d) in depth.iter().enumerate() {
        out.add(Item::Box(node), d);
    }
    let (mut begins, mut ends) = (vec![None; depth.len()], vec![None; depth.len()]);
    let mut trunks: HashMap<(usize, &str), Vec<usize>> = HashMap::new();
    for (a, arrow) in picture.arrows.iter().enumerate() {
        let (top, bottom) = (depth[arrow.from], depth[arrow.to]);
        let chains = if bottom - top > LONG {
            let begin = begins[arrow.from].unwrap_or_else(|| out.add(Item::Stub(arrow.from, true), top + 1));
            let end = ends[arrow.to].unwrap_or_else(|| out.add(Item::Stub(arrow.to, false), bottom - 1));
            let mut chains = Vec::new();
            if begins[arrow.from].replace(begin).is_none() {
                chains.push(vec![arrow.from, begin]);
            }
            if ends[arrow.to].replace(end).is_none() {
                chains.push(vec![end, arrow.to]);
            }
            out.cut.push(a);
            chains
        } else {
            // Arrows that carry one value share their way until they branch off.
            let trunk = trunks.entry((arrow.from, &arrow.label)).or_default();
            let needed = bottom - top - 1;
            let mut chain = vec![match trunk.get(needed.wrapping_sub(1)).or(trunk.last()) {
                Some(&bend) if needed > 0 => bend,
                _ => arrow.from,
            }];
            while trunk.len() < needed {
                let bend = out.add(Item::Bend(a), top + 1 + trunk.len());
                trunk.push(bend);
                chain.push(bend);
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
