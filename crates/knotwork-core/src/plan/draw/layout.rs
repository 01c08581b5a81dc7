//! A picture with every box and arrow in its place.

use super::{
    Picture,
    layers::{Item, Layers, layers},
    order::order,
    place::place,
};

/// Text sizes of a sans-serif font, a little generous, since the fonts of whoever looks are not known here.
const HEADING: f64 = 7.6;
const LINE: f64 = 6.3;
pub(super) const LINE_HEIGHT: f64 = 14.0;
pub(super) const HEADING_HEIGHT: f64 = 20.0;
const PADDING: f64 = 9.0;
const COLUMN_GAP: f64 = 22.0;
const ROW_GAP: f64 = 44.0;

/// A rectangle by its centre and size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Rect {
    pub fn top(self) -> f64 {
        self.y - self.height / 2.0
    }

    pub fn bottom(self) -> f64 {
        self.y + self.height / 2.0
    }

    pub fn left(self) -> f64 {
        self.x - self.width / 2.0
    }

    pub fn touches(self, other: Self) -> bool {
        (self.x - other.x).abs() * 2.0 < self.width + other.width
            && (self.y - other.y).abs() * 2.0 < self.height + other.height
    }
}

/// A text on an arrow.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Label {
    pub at: Rect,
    pub text: String,
}

/// An arrow's way: points with vertical tangents, in one piece or two.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Route {
    pub pieces: Vec<Vec<(f64, f64)>>,
    /// Whether it is cut: its pieces are stubs.
    pub cut: bool,
    pub label: Option<Label>,
    /// The texts at the ends of stubs.
    pub stubs: Vec<Label>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub boxes: Vec<Rect>,
    pub routes: Vec<Route>,
    pub width: f64,
    pub height: f64,
}

pub(super) fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * LINE
}

/// The text of a stub: the boxes at the other ends of the arrows that are cut.
fn stub_text(picture: &Picture, cut: &[usize], node: usize, begins: bool) -> String {
    let arrows = cut.iter().map(|&a| &picture.arrows[a]);
    let mut ends: Vec<usize> = match begins {
        true => arrows.filter(|a| a.from == node).map(|a| a.to).collect(),
        false => arrows.filter(|a| a.to == node).map(|a| a.from).collect(),
    };
    ends.sort_unstable();
    ends.dedup();
    let names: Vec<&str> = ends.iter().map(|&n| picture.nodes[n].id.as_str()).collect();
    format!("{} {}", if begins { "to" } else { "from" }, names.join(", "))
}

pub(super) fn layout(picture: &Picture) -> Layout {
    let mut layers = layers(picture);
    order(&mut layers);
    let size = |item: usize| match layers.items[item] {
        Item::Box(n) => {
            let node = &picture.nodes[n];
            let lines = node.lines.iter().map(|l| text_width(l)).fold(0.0, f64::max);
            let width = lines.max(node.name.chars().count() as f64 * HEADING) + 2.0 * PADDING;
            (width, HEADING_HEIGHT + node.lines.len() as f64 * LINE_HEIGHT + PADDING)
        }
        Item::Bend(_) => (6.0, 0.0),
        Item::Stub(n, begins) => (text_width(&stub_text(picture, &layers.cut, n, begins)) + 6.0, LINE_HEIGHT),
    };
    let sizes: Vec<(f64, f64)> = (0..layers.items.len()).map(size).collect();
    let x = place(&layers, &sizes.iter().map(|s| s.0).collect::<Vec<_>>(), COLUMN_GAP);
    let mut rects = vec![Rect { x: 0.0, y: 0.0, width: 0.0, height: 0.0 }; sizes.len()];
    let mut rows = Vec::with_capacity(layers.rows.len());
    let mut y = 0.0;
    for row in &layers.rows {
        let height = row.iter().map(|&i| sizes[i].1).fold(0.0, f64::max);
        for &item in row {
            let (width, own) = sizes[item];
            // Boxes of a row stand on one line at the top; what they give begins below them.
            rects[item] = Rect { x: x[item], y: y + own / 2.0, width, height: own };
        }
        rows.push((y, y + height));
        y += height + ROW_GAP;
    }
    let width = rects.iter().map(|r| r.x + r.width / 2.0).fold(0.0, f64::max);
    let mut routes = routes(picture, &layers, &rects, &rows);
    let boxes = rects[..picture.nodes.len()].to_vec();
    label(picture, &boxes, &mut routes);
    Layout { boxes, routes, width, height: (y - ROW_GAP).max(0.0) }
}

/// Where each arrow leaves and enters its boxes: spread over their width in the order of the other ends.
fn ports(layers: &Layers, rects: &[Rect]) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let arrows = layers.paths.len();
    let (mut leave, mut enter) = (vec![Vec::new(); arrows], vec![Vec::new(); arrows]);
    // For each box: (x of the other end, arrow, piece).
    let mut out: Vec<Vec<(f64, usize, usize)>> = vec![Vec::new(); rects.len()];
    let mut into: Vec<Vec<(f64, usize, usize)>> = vec![Vec::new(); rects.len()];
    for (a, pieces) in layers.paths.iter().enumerate() {
        leave[a] = pieces.iter().map(|p| rects[p[0]].x).collect();
        enter[a] = pieces.iter().map(|p| rects[p[p.len() - 1]].x).collect();
        for (k, piece) in pieces.iter().enumerate() {
            let (first, last) = (piece[0], piece[piece.len() - 1]);
            out[first].push((rects[piece[1]].x, a, k));
            into[last].push((rects[piece[piece.len() - 2]].x, a, k));
        }
    }
    for (ends, at) in [(&mut out, &mut leave), (&mut into, &mut enter)] {
        for (item, list) in
            ends.iter_mut().enumerate().filter(|(i, _)| matches!(layers.items[*i], Item::Box(_)))
        {
            list.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
            let step = (rects[item].width * 0.7 / list.len() as f64).min(26.0);
            let middle = (list.len() as f64 - 1.0) / 2.0;
            for (k, &(_, a, piece)) in list.iter().enumerate() {
                at[a][piece] = rects[item].x + (k as f64 - middle) * step;
            }
        }
    }
    (leave, enter)
}

fn routes(picture: &Picture, layers: &Layers, rects: &[Rect], rows: &[(f64, f64)]) -> Vec<Route> {
    let (leave, enter) = ports(layers, rects);
    let mut routes = Vec::with_capacity(layers.paths.len());
    for (a, pieces) in layers.paths.iter().enumerate() {
        let mut route = Route { cut: layers.cut.contains(&a), ..Route::default() };
        for (k, piece) in pieces.iter().enumerate() {
            let mut points = Vec::new();
            for (i, &item) in piece.iter().enumerate() {
                let rect = rects[item];
                match layers.items[item] {
                    Item::Box(_) if i == 0 => points.push((leave[a][k], rect.bottom())),
                    Item::Box(_) => points.push((enter[a][k], rect.top())),
                    Item::Bend(_) if i == 0 => points.push((rect.x, rows[layers.layer[item]].1)),
                    Item::Bend(_) => {
                        let (top, bottom) = rows[layers.layer[item]];
                        points.extend([(rect.x, top), (rect.x, bottom)]);
                    }
                    Item::Stub(n, begins) => {
                        let (top, bottom) = rows[layers.layer[item]];
                        // The text of a begin hangs at the top of its row, that of an end at the bottom.
                        let y = if begins { top } else { bottom - LINE_HEIGHT };
                        let at = Rect { x: rect.x, y: y + LINE_HEIGHT / 2.0, ..rect };
                        points.push((rect.x, if begins { y } else { y + LINE_HEIGHT }));
                        route.stubs.push(Label { at, text: stub_text(picture, &layers.cut, n, begins) });
                    }
                }
            }
            route.pieces.push(points);
        }
        routes.push(route);
    }
    routes
}

/// A point of the curve between two points with vertical tangents.
fn on_curve(a: (f64, f64), b: (f64, f64), t: f64) -> (f64, f64) {
    let s = 3.0 * t * t - 2.0 * t * t * t;
    // Both inner control points lie half-way down.
    let y = a.1 + (b.1 - a.1) * (1.5 * t * (1.0 - t) * (1.0 - t) + 1.5 * t * t * (1.0 - t) + t * t * t);
    (a.0 + (b.0 - a.0) * s, y)
}

/// Puts each arrow's label where it touches no other label and no box; where there is no such place it has none, and
/// its tooltip says the same.
fn label(picture: &Picture, boxes: &[Rect], routes: &mut [Route]) {
    let mut taken: Vec<Rect> = routes.iter().flat_map(|r| r.stubs.iter().map(|s| s.at)).collect();
    // One label for all arrows that carry one value away from a box.
    let mut said: Vec<(usize, &str)> = Vec::new();
    for (arrow, route) in picture.arrows.iter().zip(routes) {
        if arrow.label.is_empty() || said.contains(&(arrow.from, &arrow.label)) {
            continue;
        }
        let rect = |x: f64, y: f64| Rect { x, y, width: text_width(&arrow.label), height: LINE_HEIGHT };
        let Some(piece) = route.pieces.first().filter(|_| !route.cut) else { continue };
        let found = piece.windows(2).find_map(|w| {
            [0.5, 0.35, 0.65].into_iter().find_map(|t| {
                let (x, y) = on_curve(w[0], w[1], t);
                let at = rect(x, y);
                let free = |others: &[Rect]| others.iter().all(|o| !o.touches(at));
                (free(&taken) && free(boxes) && w[1].1 - w[0].1 > LINE_HEIGHT).then_some(at)
            })
        });
        if let Some(at) = found {
            taken.push(at);
            said.push((arrow.from, &arrow.label));
            route.label = Some(Label { at, text: arrow.label.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        graph::Phase,
        plan::draw::{Arrow, Family, Node},
    };

    fn picture(sizes: &[usize], arrows: &[(usize, usize)]) -> Picture {
        let node = |(k, &n): (usize, &usize)| Node {
            id: k.to_string(),
            name: format!("{k} node"),
            lines: vec!["x".repeat(n); n % 4],
            family: Family::Other,
            phase: Phase::Forward,
            details: String::new(),
        };
        let n = sizes.len();
        let arrow = |&(a, b): &(usize, usize)| {
            let (a, b) = (a % n, b % n);
            (a != b).then(|| Arrow { from: a.min(b), to: a.max(b), label: format!("f32[{a}]") })
        };
        Picture {
            title: "any".into(),
            nodes: sizes.iter().enumerate().map(node).collect(),
            arrows: arrows.iter().filter_map(arrow).collect(),
        }
    }

    proptest! {
        /// Of any picture: no box touches another, every arrow goes down from one to the other, all is inside.
        #[test]
        fn boxes_keep_apart_and_arrows_go_down(
            sizes in prop::collection::vec(0usize..40, 1..40),
            arrows in prop::collection::vec((0usize..40, 0usize..40), 0..80),
        ) {
            let picture = picture(&sizes, &arrows);
            let layout = layout(&picture);
            for (i, a) in layout.boxes.iter().enumerate() {
                prop_assert!(a.left() >= -0.01 && a.x + a.width / 2.0 <= layout.width + 0.01);
                prop_assert!(a.top() >= -0.01 && a.bottom() <= layout.height + 0.01);
                for b in &layout.boxes[i + 1..] {
                    prop_assert!(!a.touches(*b), "{a:?} {b:?}");
                }
            }
            for (arrow, route) in picture.arrows.iter().zip(&layout.routes) {
                let (from, to) = (layout.boxes[arrow.from], layout.boxes[arrow.to]);
                prop_assert!(from.bottom() < to.top());
                for piece in &route.pieces {
                    prop_assert!(piece.windows(2).all(|w| w[0].1 <= w[1].1), "{piece:?}");
                }
                if let (false, Some(piece)) = (route.cut, route.pieces.last()) {
                    let end = piece[piece.len() - 1];
                    prop_assert!((end.1 - to.top()).abs() < 0.01 && (end.0 - to.x).abs() <= to.width / 2.0);
                }
            }
        }
    }

    /// A long chain with an arrow across all of it: cut, with both ends named.
    #[test]
    fn long_arrows_are_cut_and_name_their_ends() {
        let chain: Vec<(usize, usize)> = (0..29).map(|k| (k, k + 1)).chain([(0, 29)]).collect();
        let layout = layout(&picture(&[3; 30], &chain));
        let stubs: Vec<&str> = layout.routes.iter().flat_map(|r| &r.stubs).map(|s| s.text.as_str()).collect();
        assert_eq!(stubs, ["to 29", "from 0"]);
        assert!(layout.width < 400.0);
    }
}
