//! The gallery of activations: every function is there, finite and true to its definition, in an SVG that is XML.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

#[path = "../activations/main.rs"]
#[allow(dead_code, reason = "the program around the picture")]
mod example;

use knotwork::{Device, ops::elementwise::activations};

/// The names of all elements, in order. Panics where the text is not a tree of elements with quoted attributes.
fn elements(xml: &str) -> Vec<String> {
    let (mut open, mut found, mut rest) = (Vec::new(), Vec::new(), xml);
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "a stray > in `{}`", &rest[..start]);
        let end = start + rest[start..].find('>').expect("every tag ends");
        let tag = &rest[start + 1..end];
        assert!(!tag.contains('<') && tag.matches('"').count().is_multiple_of(2), "<{tag}>");
        let name = tag.trim_matches('/').split_whitespace().next().expect("every tag has a name").to_string();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_ref(), Some(&name), "<{tag}>");
        } else {
            assert!(found.is_empty() || !open.is_empty(), "<{tag}> stands outside the root");
            found.push(name.clone());
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "open: {open:?}, after the end: `{rest}`");
    for entity in xml.split('&').skip(1) {
        assert!(["amp;", "lt;", "gt;", "quot;"].iter().any(|e| entity.starts_with(e)), "&{entity:.9}");
    }
    found
}

#[test]
fn every_activation_has_a_panel_of_finite_curves() {
    let functions = example::sample(&Device::cpu()).unwrap();
    let points = example::points();
    assert_eq!(functions.len(), activations().count());
    for f in &functions {
        assert_eq!((f.values.len(), f.slopes.len()), (points.len(), points.len()), "{:?}", f.row);
        let defaults: Vec<f64> = f.row.attributes.iter().map(|a| a.default).collect();
        for ((&x, &y), &slope) in points.iter().zip(&f.values).zip(&f.slopes) {
            assert!(y.is_finite() && slope.is_finite(), "{:?} at {x}: {y}, {slope}", f.row);
            let want = (f.row.reference)(&[x.into()], &defaults);
            assert!((y - want).abs() < 1e-5 * want.abs().max(1.0), "{:?} at {x}: {y}, not {want}", f.row);
        }
    }

    let svg = example::gallery(&functions).to_svg().unwrap();
    let elements = elements(&svg);
    let count = |name: &str| elements.iter().filter(|e| *e == name).count();
    // One rectangle is the background.
    assert_eq!(count("rect"), 1 + functions.len());
    assert!(count("polyline") >= 2 * functions.len());
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    for f in &functions {
        // Names stand at 13 pixels, formulas at 10.
        let panels = svg.matches(&format!("font-size=\"13\" fill=\"#26323a\">{}</text>", f.row.name)).count();
        assert_eq!(panels, 1, "{:?}", f.row);
    }
}

#[test]
fn jumps_are_gaps() {
    let functions = example::sample(&Device::cpu()).unwrap();
    let relu: Vec<example::Sampled> = functions.into_iter().filter(|f| f.row.name == "relu").collect();
    let svg = example::gallery(&relu).to_svg().unwrap();
    // The function is one line, its derivative is two.
    assert_eq!(svg.matches("<polyline").count(), 3);
}

#[test]
fn a_gpu_agrees() {
    match knotwork::open_device(Some("gpu")) {
        Ok(device) => {
            let pairs =
                example::sample(&device).unwrap().into_iter().zip(example::sample(&Device::cpu()).unwrap());
            for (gpu, cpu) in pairs {
                let both = gpu.values.iter().zip(&cpu.values).chain(gpu.slopes.iter().zip(&cpu.slopes));
                for (a, b) in both {
                    assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "{:?}: {a}, not {b}", gpu.row);
                }
            }
        }
        Err(why) => eprintln!("there is no GPU: {why}"),
    }
}
