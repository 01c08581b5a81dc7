use super::{layout::Placed, *};

fn edge(input: usize, output: usize, importance: f64) -> DiagramEdge {
    let points = (-8..=8).map(|i| f64::from(i) / 8.0).map(|x| (x, x * x)).collect();
    DiagramEdge { input, output, points, importance, label: None }
}

fn full(inputs: usize, sums: usize) -> DiagramLayer {
    let count = (inputs * sums) as f64;
    let edges = (0..inputs * sums).map(|k| edge(k / sums, k % sums, k as f64 / count)).collect();
    DiagramLayer { inputs, sums, edges, ..DiagramLayer::default() }
}

fn network(widths: &[usize]) -> Diagram {
    Diagram::new("net").layers(widths.windows(2).map(|w| full(w[0], w[1])))
}

/// The number of edges in a picture: each has a tooltip.
fn drawn(svg: &str) -> usize {
    svg.matches("<title>layer ").count()
}

/// The areas of two boxes meet.
fn meet(a: (f64, f64), b: (f64, f64), size: (f64, f64)) -> bool {
    (a.0 - b.0).abs() < size.0 && (a.1 - b.1).abs() < size.1
}

#[test]
fn every_edge_is_drawn_once_and_the_document_is_well_formed() {
    for widths in [&[1, 1][..], &[2, 1, 1], &[2, 5, 1], &[4, 9, 9, 3], &[20, 2, 1], &[1, 1, 1, 1, 1]] {
        let diagram = network(widths);
        let svg = diagram.to_svg().unwrap();
        let edges: usize = widths.windows(2).map(|w| w[0] * w[1]).sum();
        assert_eq!(drawn(&svg), edges, "{widths:?}");
        let document = roxmltree::Document::parse(&svg).unwrap();
        let root = document.root_element();
        let size = |name| root.attribute(name).and_then(|v| v.parse::<f64>().ok()).unwrap();
        assert!(size("width") < 1900.0 && size("height") < 2000.0, "{widths:?}");
        assert!(svg.len() < 4000 * (edges + 2), "{widths:?}: {}", svg.len());
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{widths:?}");
    }
}

#[test]
fn boxes_and_nodes_never_meet_and_lie_within() {
    for widths in [&[2, 5, 1][..], &[4, 9, 9, 3], &[30, 7, 2], &[64, 32, 10]] {
        let diagram = network(widths);
        let layout = Layout::new(&diagram);
        for band in &layout.bands {
            for (k, a) in band.boxes.iter().enumerate() {
                let inside = a.at.0 >= 100.0 && a.at.0 + layout.cell.0 <= layout.width - 8.0;
                assert!(inside && a.at.1 >= band.top && a.at.1 + layout.cell.1 <= band.bottom, "{widths:?}");
                let others = &band.boxes[k + 1..];
                assert!(!others.iter().any(|b: &Placed| meet(a.at, b.at, layout.cell)), "{widths:?}");
            }
        }
        for row in &layout.rows {
            assert!(row.nodes.windows(2).all(|w| w[1].x - w[0].x >= 20.0), "{widths:?}");
            let clear = |b: &layout::Band| row.y + 9.0 < b.top || row.y - 9.0 > b.bottom;
            assert!(layout.bands.iter().all(clear), "{widths:?}");
        }
        let ys: Vec<f64> = layout.rows.iter().map(|r| r.y).collect();
        assert!(ys.windows(2).all(|w| w[1] < w[0]), "inputs at the bottom: {ys:?}");
    }
}

#[test]
fn of_a_large_layer_the_strongest_edges_are_drawn_and_it_is_said() {
    let svg = network(&[64, 32, 10]).to_svg().unwrap();
    assert!(svg.len() < 300_000, "{}", svg.len());
    assert!(svg.contains(">2,048 edges<") && svg.contains(">320 edges<"));
    let most = network(&[64, 32, 10]).most(5).to_svg().unwrap();
    assert_eq!(drawn(&most), 10);
    assert!(most.contains(">5 strongest of<"));
    // The most important ones of `full` are the last.
    for k in 2043..2048 {
        assert!(most.contains(&format!("<title>layer 0: {} to {},", k / 32, k % 32)), "{k}");
    }
    assert!(most.contains(">1 of 64 drawn<"), "{most}");
    // Unknown importances come last, and equal ones are no trouble.
    let mut layer = full(200, 200);
    layer.edges.iter_mut().for_each(|e| e.importance = 0.5);
    layer.edges[17].importance = f64::NAN;
    let svg = Diagram::new("equal").layers([layer]).to_svg().unwrap();
    assert!(drawn(&svg) >= 8 && !svg.contains("importance unknown<"), "{}", drawn(&svg));
}

#[test]
fn what_is_pruned_is_absent() {
    let mut first = full(2, 5);
    first.edges.retain(|e| e.output != 2 && e.input == 0);
    let svg = Diagram::new("pruned").layers([first, full(5, 1)]).to_svg().unwrap();
    assert_eq!(drawn(&svg), 4 + 5);
    assert!(svg.contains(">6 pruned<") && svg.contains(">[2, 5, 1]: 9 edges<"));
    // Input 1 and hidden node 2 are drawn, but as nodes that nothing uses or reaches.
    assert_eq!(svg.matches("stroke-dasharray=\"2 2\"").count(), 2 + 1);
    let none = DiagramLayer { inputs: 2, sums: 1, ..DiagramLayer::default() };
    let svg = Diagram::new("nothing left").layers([none]).to_svg().unwrap();
    assert!(drawn(&svg) == 0 && svg.contains(">2 pruned<"));
}

#[test]
fn products_gather_their_factors() {
    let first = DiagramLayer { multiply: vec![2, 3], ..full(2, 7) };
    assert_eq!((first.nodes(), first.sums), (4, 7));
    let diagram = Diagram::new("products").layers([first, full(4, 1)]);
    let svg = diagram.to_svg().unwrap();
    assert!(svg.contains(">[2, [2, 2], 1]: 18 edges<") && svg.contains(">product<"));
    assert!(svg.contains("<title>layer 0: 0 to factor 1 of 3, importance"), "{svg}");
    // A line from each factor to its product.
    let green = format!("stroke=\"{}\" stroke-width=\"1.80\"", crate::plot::legend::PRODUCT);
    assert_eq!(svg.matches(&green).count(), 5);
    let layout = Layout::new(&diagram);
    let ends: Vec<_> = (0..7).map(|end| layout.end(&diagram.layers[0], 1, end).unwrap()).collect();
    assert!(ends[2].1 > ends[0].1 && ends[4].0 < ends[5].0 && ends[5].0 < ends[6].0);
    let node = layout.rows[1].nodes[3];
    assert!((ends[5].0 - node.x).abs() < 1e-9, "the middle factor lies below its product");
}

#[test]
fn names_and_labels_are_escaped_and_cut() {
    let mut layer = full(2, 1);
    layer.edges[0].label = Some("x < 1 & \"y\"".into());
    layer.edges[1].label = Some("a formula ".repeat(60));
    let long = "n".repeat(500);
    let svg = Diagram::new("a <b> & c").layers([layer]).names(&["<i>", &long], &["o&o"]).to_svg().unwrap();
    roxmltree::Document::parse(&svg).unwrap();
    assert!(svg.contains("x &lt; 1 &amp;") && svg.contains(">&lt;i&gt;<") && svg.contains(">o&amp;o<"));
    assert!(svg.contains("formula, below its box") && !svg.contains(&format!(">{long}")));
    // A control character and a noncharacter, which XML has no place for.
    let svg = Diagram::new("a\u{0}b\u{ffff}c\u{1b}").layers([full(1, 1)]).to_svg().unwrap();
    roxmltree::Document::parse(&svg).unwrap();
}

#[test]
fn odd_values_have_their_pictures() {
    let mut layer = full(3, 2);
    layer.edges[0].importance = f64::NAN;
    layer.edges[1].points.iter_mut().for_each(|p| p.1 = f64::NAN);
    layer.edges[2].points[4].1 = f64::INFINITY;
    layer.edges[3].points.iter_mut().for_each(|p| p.1 = 5.0);
    layer.edges[4].points.truncate(1);
    layer.edges[5].points = (0..100_000).map(|i| (f64::from(i), 1e290 * f64::from(i).sin())).collect();
    let svg = Diagram::new("odd").layers([layer]).to_svg().unwrap();
    roxmltree::Document::parse(&svg).unwrap();
    assert_eq!((drawn(&svg), svg.matches(">no value<").count()), (6, 1));
    assert!(svg.contains(">importance unknown<") && svg.contains("importance unknown</title>"));
    assert!(!svg.contains("NaN") && !svg.contains("inf") && svg.len() < 40_000, "{}", svg.len());
}

#[test]
fn importance_is_ink() {
    let opacity = |importance: f64| {
        let layer =
            DiagramLayer { inputs: 1, sums: 1, edges: vec![edge(0, 0, importance)], ..Default::default() };
        let svg = Diagram::new("one").layers([layer]).to_svg().unwrap();
        let box_of = svg.split("<title>layer 0").nth(1).unwrap();
        let value = box_of.split("stroke-opacity=\"").nth(1).map_or("1", |v| v.split('"').next().unwrap());
        value.parse::<f64>().unwrap()
    };
    assert_eq!([0.0, 0.5, 1.0].map(opacity), [0.2, 0.6, 1.0]);
}

#[test]
fn learned_layers_compare_their_deviations() {
    let sampled = |input, scale: f64| Edge { input, output: 0, points: vec![(-1.0, -scale), (1.0, scale)] };
    let edges = [sampled(0, 2.0), sampled(1, 0.5), sampled(2, f64::NAN)];
    let layer = DiagramLayer::learned(3, 1, edges);
    assert_eq!((layer.edges[0].importance, layer.edges[1].importance), (1.0, 0.25));
    assert!(layer.edges[2].importance.is_nan());
    let scored = DiagramLayer { edges: vec![edge(0, 0, 6.0), edge(1, 0, 1.5)], ..full(2, 1) }.relative();
    assert_eq!((scored.edges[0].importance, scored.edges[1].importance), (1.0, 0.25));
    let flat = DiagramLayer::learned(1, 1, [sampled(0, 0.0)]);
    assert_eq!(flat.edges[0].importance, 0.0);
}

#[test]
fn what_does_not_fit_is_refused() {
    let error =
        |layers: Vec<DiagramLayer>| Diagram::new("d").layers(layers).to_svg().unwrap_err().to_string();
    assert!(error(vec![]).starts_with("plot: `d` has no layer (at "), "{}", error(vec![]));
    assert!(error(vec![]).contains("tests.rs"));
    let bad = |change: fn(&mut DiagramLayer)| {
        let mut layer = full(2, 2);
        change(&mut layer);
        error(vec![layer])
    };
    type Case = (fn(&mut DiagramLayer), &'static str);
    let cases: [Case; 13] = [
        (|l| l.multiply = vec![2, 1], "layer 0: its products take 3 factors, but it has 2 sums"),
        (|l| l.multiply = vec![usize::MAX; 2], "product 0 has 18446744073709551615 factors"),
        (|l| l.inputs = 0, "layer 0 goes from 0 inputs to 2 nodes"),
        (|l| l.sums = 0, "layer 0 goes from 2 inputs to 0 nodes"),
        (|l| l.inputs = usize::MAX, "at most 1000000 can be drawn"),
        (|l| l.sums = 1_000_001, "layer 0 goes from 2 inputs to 1000001 sums; at most 1000000 can be drawn"),
        (|l| l.multiply = vec![2, 0], "product 1 has 0 factors; it must have 1 to 64"),
        (|l| l.multiply = vec![65], "product 0 has 65 factors"),
        (|l| l.edges[1].output = 2, "layer 0 has no edge from 0 to 2: it has 2 inputs and 2 sums"),
        (|l| l.edges[1].input = 7, "layer 0 has no edge from 7 to 1"),
        (|l| l.edges[1].output = 0, "layer 0 has the edge from 0 to 0 twice"),
        (|l| l.edges[2].importance = 1.5, "the edge from 1 to 0 has importance 1.5; it must lie in 0..=1"),
        (
            |l| l.edges.iter_mut().for_each(|e| e.points = vec![(f64::NAN, 0.0)]),
            "no edge with a finite point",
        ),
    ];
    for (change, want) in cases {
        let got = bad(change);
        assert!(got.contains(want), "{got}, want {want}");
    }
    let got = error(vec![full(2, 3), full(2, 1)]);
    assert!(got.contains("layer 0 ends in 3 nodes, but layer 1 has 2 inputs"), "{got}");
    assert!(error(vec![full(1, 1); 65]).contains("65 layers; at most 64"));
    let got = network(&[2, 1]).names(&["x"], &["f"]).to_svg().unwrap_err().to_string();
    assert!(got.contains("1 names for 2 inputs; there must be as many, or none"), "{got}");
}
