//! Every picture as SVG and as PNG: well-formed, not blank, the same each time; what cannot be drawn or written is refused.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic of a test is its report")]

use std::fs;

use knotwork_nn::{
    Error,
    plot::{
        Comparison, Diagram, DiagramLayer, Edge, EdgePlot, EdgeSheet, Gallery, HeatMap, LineChart, Panel,
        PlotError,
    },
};

fn curve(k: usize) -> Vec<(f64, f64)> {
    (-20..=20).map(|i| f64::from(i) / 20.0).map(|x| (x, (x * (k + 1) as f64).sin())).collect()
}

fn edges(inputs: usize, outputs: usize) -> Vec<Edge> {
    (0..inputs * outputs)
        .map(|k| Edge { input: k / outputs, output: k % outputs, points: curve(k) })
        .collect()
}

fn diagram(title: &str) -> Diagram {
    let first = DiagramLayer { multiply: vec![2], ..DiagramLayer::learned(2, 3, edges(2, 3)) };
    Diagram::new(title).layers([first, DiagramLayer::learned(2, 1, edges(2, 1))]).names(&["x", "y"], &["f"])
}

fn chart() -> LineChart {
    LineChart::new("Lines & <more>")
        .line("train", &curve(0))
        .line("test", &curve(3))
        .mark(0.5, "grid 10")
        .best("test")
}

fn edge_plot() -> EdgePlot {
    let samples: Vec<f64> = curve(4).iter().map(|p| p.1).collect();
    EdgePlot::new("x → f").curve(&curve(2)).knots(&[-1.0, 0.0, 1.0]).samples(&samples).fit(
        "sin(3 x)",
        &curve(2),
        1.0,
    )
}

/// The error of a call, which must name this file as the place.
fn refused<T: std::fmt::Debug>(result: knotwork_nn::Result<T>) -> PlotError {
    match result.unwrap_err() {
        e @ Error::Plot { .. } if !e.to_string().contains("pictures.rs") => panic!("no place: {e}"),
        Error::Plot { error, .. } => error,
        e => panic!("another error: {e}"),
    }
}

/// Calls a macro with every kind of picture.
macro_rules! for_all {
    ($check:ident) => {
        $check!("diagram", diagram("Network"));
        $check!(
            "comparison",
            Comparison::new("Pruning").diagram(diagram("before")).diagram(diagram("after"))
        );
        $check!("edge", edge_plot());
        $check!("lines", chart());
        $check!("sheet", EdgeSheet::new("Sheet").edges(edges(3, 2)));
        $check!("map", HeatMap::confusion(&[0, 1, 2, 2], &[0, 1, 2, 1], 3).unwrap());
        $check!(
            "gallery",
            Gallery::new("Gallery").panels([Panel::new("sin").note("sin x").curve(&curve(0))])
        );
    };
}

#[test]
fn svg_is_well_formed_with_real_text_on_white() {
    macro_rules! check {
        ($name:literal, $picture:expr) => {
            let svg = $picture.to_svg().unwrap();
            let document = roxmltree::Document::parse(&svg).unwrap_or_else(|e| panic!("{}: {e}", $name));
            let root = document.root_element();
            assert_eq!(root.tag_name().name(), "svg", $name);
            let ground = root.children().find(|n| n.is_element()).unwrap();
            assert_eq!(
                (ground.tag_name().name(), ground.attribute("fill")),
                ("rect", Some("#ffffff")),
                $name
            );
            assert_eq!(ground.attribute("width"), Some("100%"), $name);
            assert!(root.attribute("font-family").unwrap().ends_with("sans-serif"), $name);
            let texts = document.descendants().filter(|n| n.tag_name().name() == "text").count();
            assert!(texts > 2, "{}: {texts}", $name);
            assert!(svg.len() < 60_000 && !svg.contains("NaN"), "{}: {}", $name, svg.len());
        };
    }
    for_all!(check);
}

#[test]
fn a_comparison_says_what_each_has() {
    let svg = Comparison::new("c")
        .diagram(diagram("before").note("test RMSE 0.5"))
        .diagram(diagram("after").note("test RMSE 0.25"))
        .to_svg()
        .unwrap();
    for text in [">before<", ">after<", "8 edges; test RMSE 0.5<", "8 edges; test RMSE 0.25<"] {
        assert_eq!(svg.matches(text).count(), 1, "{text}");
    }
    // One legend for both.
    assert_eq!(svg.matches(">importance 0 to 1<").count(), 1);
    assert!(matches!(refused(Comparison::new("c").to_svg()), PlotError::Nothing { what: "no diagram", .. }));
    let bad = Comparison::new("c").diagram(diagram("good")).diagram(Diagram::new("bad")).to_svg();
    assert!(matches!(refused(bad), PlotError::Nothing { title, .. } if title == "bad"));
    // Many stand below each other.
    let many = (0..9).fold(Comparison::new("c"), |all, k| all.diagram(diagram(&k.to_string())));
    let svg = many.to_svg().unwrap();
    let root =
        roxmltree::Document::parse(&svg).map(|d| d.root_element().attribute("width").map(str::to_owned));
    assert!(root.unwrap().unwrap().parse::<f64>().unwrap() < 1000.0);
}

#[test]
fn files_are_written_by_the_end_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    chart().save(path("a.SVG")).unwrap();
    assert_eq!(fs::read_to_string(path("a.SVG")).unwrap(), chart().to_svg().unwrap());
    for name in ["a", "a.pdf", "svg", ".svg"] {
        let error = refused(chart().save(path(name)));
        assert!(matches!(&error, PlotError::Extension { path: p } if *p == path(name)), "{error:?}");
        assert!(error.to_string().ends_with("pictures are written as .svg or .png, by the end of the name"));
        assert!(!path(name).exists());
    }
    assert!(matches!(refused(chart().save(path("none/a.svg"))), PlotError::Write { .. }));
    // What cannot be drawn leaves the file that is there as it is.
    let nothing = LineChart::new("empty").save(path("a.SVG"));
    assert!(matches!(refused(nothing), PlotError::Nothing { .. }));
    assert_eq!(fs::read_to_string(path("a.SVG")).unwrap(), chart().to_svg().unwrap());
}

#[cfg(not(feature = "png"))]
#[test]
fn without_the_feature_there_is_no_png() {
    let error = refused(chart().save("a.png"));
    assert!(
        matches!(error, PlotError::WithoutPng { .. })
            && error.to_string().contains("the cargo feature `png`")
    );
}

#[cfg(feature = "png")]
mod png {
    use knotwork_nn::plot::PngSize;
    use resvg::tiny_skia::Pixmap;

    use super::*;

    fn size_of(svg: &str) -> (u32, u32) {
        let document = roxmltree::Document::parse(svg).unwrap();
        let size = |name| document.root_element().attribute(name).unwrap().parse::<u32>().unwrap();
        (size("width"), size("height"))
    }

    /// The share of pixels that are not white.
    fn inked(pixels: &Pixmap) -> f64 {
        let ink =
            pixels.pixels().iter().filter(|p| (p.red(), p.green(), p.blue()) != (255, 255, 255)).count();
        ink as f64 / pixels.pixels().len() as f64
    }

    #[test]
    fn png_shows_the_picture() {
        macro_rules! check {
            ($name:literal, $picture:expr) => {
                let picture = $picture;
                let bytes = picture.to_png(PngSize::Scale(1.0)).unwrap();
                let pixels = Pixmap::decode_png(&bytes).unwrap();
                assert_eq!((pixels.width(), pixels.height()), size_of(&picture.to_svg().unwrap()), $name);
                let share = inked(&pixels);
                assert!((0.01..0.6).contains(&share), "{}: {share}", $name);
                assert!(pixels.pixels().iter().all(|p| p.alpha() == 255), "{}: opaque", $name);
                assert_eq!(bytes, picture.to_png(PngSize::Scale(1.0)).unwrap(), $name);
            };
        }
        for_all!(check);
    }

    #[test]
    fn text_is_drawn_whatever_fonts_there_are() {
        let with = |title: &str| {
            let chart = LineChart::new(title).line("", &[(0.0, 0.0), (1.0, 1.0)]);
            Pixmap::decode_png(&chart.to_png(PngSize::Scale(1.0)).unwrap()).unwrap()
        };
        // The title's band, left of the middle: ink there is the title's.
        let ink = |pixels: &Pixmap, from: u32, to: u32| {
            let dark = |x: u32, y: u32| pixels.pixel(x, y).is_some_and(|p| p.red() < 128);
            (from..to).flat_map(|x| (8..32).map(move |y| (x, y))).filter(|(x, y)| dark(*x, *y)).count()
        };
        assert_eq!(ink(&with(""), 60, 700), 0);
        let (short, long) = (with("III"), with("IIIIII"));
        assert!(ink(&short, 60, 700) > 20, "{}", ink(&short, 60, 700));
        assert!(ink(&long, 60, 700) > ink(&short, 60, 700) * 3 / 2);
        // It begins where the plot begins, and is as wide as Arimo is: three I of 16 units are 13.3.
        assert_eq!((ink(&short, 0, 68), ink(&short, 83, 700)), (0, 0));
        assert!(ink(&with("πφσ²√×Ж"), 60, 700) > 100);
    }

    #[test]
    fn sizes() {
        let chart = chart();
        let decode = |size| Pixmap::decode_png(&chart.to_png(size).unwrap()).unwrap();
        let (width, height) = size_of(&chart.to_svg().unwrap());
        assert_eq!(decode(PngSize::Width(360)).width(), 360);
        let large = decode(PngSize::Scale(2.5));
        assert_eq!(
            (large.width(), large.height()),
            (width * 5 / 2, (f64::from(height) * 2.5).round() as u32)
        );
        let bad = [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9, 1e-9].map(PngSize::Scale);
        for size in bad.into_iter().chain([PngSize::Width(0), PngSize::Width(u32::MAX)]) {
            let error = refused(chart.to_png(size));
            assert!(matches!(error, PlotError::Size { most: 100_000_000, .. }), "{size:?}: {error:?}");
        }
    }

    #[test]
    fn a_saved_png_has_two_pixels_for_each_unit() {
        let folder = tempfile::tempdir().unwrap();
        macro_rules! check {
            ($name:literal, $picture:expr) => {
                let path = folder.path().join(concat!($name, ".png"));
                let picture = $picture;
                picture.save(&path).unwrap();
                let pixels = Pixmap::decode_png(&fs::read(&path).unwrap()).unwrap();
                let (w, h) = size_of(&picture.to_svg().unwrap());
                assert_eq!((pixels.width(), pixels.height()), (2 * w, 2 * h), $name);
            };
        }
        for_all!(check);
    }
}
