//! What the bench finds and writes; never how long anything takes.

use knotwork::{HostTensor, ops::Custom};

use super::{record::Record, *};

fn arguments(names: &[&str]) -> Arguments {
    Arguments {
        names: names.iter().map(ToString::to_string).collect(),
        device: Some("cpu".into()),
        size: Some(Size::Tiny),
        runs: Some(3),
        no_peak: true,
        ..Arguments::default()
    }
}

/// Runs and reads back what was written.
fn written(arguments: &Arguments) -> (String, File) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.json");
    let mut out = Vec::new();
    kernels(&Arguments { json: Some(path.clone()), ..arguments.clone() }, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), record::read(&path).unwrap())
}

fn check(r: &Record) {
    assert!(0.0 < r.min_ns && r.min_ns <= r.median_ns && r.median_ns <= r.max_ns, "{r:?}");
    assert!(r.spread >= 0.0 && r.spread <= (r.max_ns - r.min_ns) / r.median_ns + 1e-9, "{r:?}");
    assert!((r.flops_per_second * r.median_ns / 1e9 - r.flops).abs() <= 1e-6 * r.flops, "{r:?}");
    assert!((r.bytes_per_second * r.median_ns / 1e9 - r.bytes).abs() <= 1e-6 * r.bytes, "{r:?}");
    assert!(r.bytes > 0.0 && r.dispatches > 0 && r.runs == 3 && r.checked == "oracle", "{r:?}");
}

#[test]
fn every_case_is_right_on_the_cpu() {
    let (text, file) = written(&arguments(&[]));
    let names: Vec<String> = file.cases.iter().map(|r| r.name.clone()).collect();
    let want: Vec<String> = cases::all(Size::Tiny).into_iter().map(|c| c.name).collect();
    assert_eq!(names, want);
    assert!(file.wrong.is_empty() && file.skipped.is_empty(), "{file:?}");
    for record in &file.cases {
        check(record);
        assert!(text.contains(&record.name), "{} is missing in {text}", record.name);
    }
    assert_eq!((file.device.name.as_str(), file.size.as_str(), file.version), ("cpu", "tiny", VERSION));
    assert!(!file.commit.is_empty());
    let product = file.cases.iter().find(|r| r.name == "matmul/16").unwrap();
    assert_eq!((product.flops, product.bytes), (2.0 * 16f64.powi(3), 4.0 * 3.0 * 256.0));
}

/// An operation whose name no plan of a case has would never be measured.
#[test]
fn every_operation_with_kernels_of_its_own_is_measured() {
    use knotwork::{
        Graph,
        ops::{Cases, registry},
        plan::{Capabilities, PlanOptions},
    };
    use std::collections::BTreeSet;
    let options = PlanOptions { no_fuse: true, no_rewrite: true, ..PlanOptions::default() };
    let steps = |graph: &Graph, outputs: &[&knotwork::Tensor], updates: &[&knotwork::graph::Update]| {
        let capabilities = Capabilities { f16: true, ..Capabilities::portable() };
        let plan = graph.plan(outputs, updates, &[].into(), &capabilities, options).unwrap();
        plan.steps.iter().map(|s| s.op.name().to_owned()).collect::<BTreeSet<_>>()
    };
    let mut measured = BTreeSet::new();
    for case in cases::all(Size::Tiny) {
        let made = case.make(1).unwrap();
        let (outputs, updates): (Vec<_>, Vec<_>) =
            (made.outputs.iter().collect(), made.updates.iter().collect());
        measured.extend(steps(&made.graph, &outputs, &updates));
    }
    for operation in registry().into_iter().filter(|op| matches!(op.cases, Cases::Listed(_))) {
        let own = operation.cases().iter().any(|case| {
            let graph = Graph::new();
            let inputs: Vec<_> = case
                .inputs
                .iter()
                .enumerate()
                .map(|(i, c)| graph.input(&format!("x{i}"), c.dtype, c.shape.as_slice()).unwrap())
                .collect();
            let outputs = (case.build)(&inputs).unwrap();
            let outputs: Vec<_> = outputs.iter().filter(|t| t.dtype() != knotwork::DType::F16).collect();
            steps(&graph, &outputs, &[]).contains(operation.name)
        });
        assert!(!own || measured.contains(operation.name), "no case runs `{}`", operation.name);
    }
}

#[cfg(feature = "gpu")]
#[test]
fn variants_are_each_checked_and_timed_on_a_gpu() {
    let names = ["matmul/16", "softmax/last_12", "softmax/first", "reduce/sum_all", "spmm_csr/", "adam"];
    let own = Arguments { device: Some("gpu".into()), variants: true, ..arguments(&names) };
    let (text, file) = written(&own);
    assert!(file.wrong.is_empty(), "{file:?}");
    for record in &file.cases {
        check(record);
        assert!(!record.variant.is_empty() && text.contains(&record.variant), "{record:?}");
        let same: Vec<&Record> = file.cases.iter().filter(|r| r.name == record.name).collect();
        assert_eq!(same.iter().filter(|r| r.chosen).count(), 1, "{same:?}");
        assert_eq!(same.iter().filter(|r| r.variant == record.variant).count(), 1, "{same:?}");
        assert!(same.iter().all(|r| r.flops == record.flops), "{same:?}");
    }
    assert!(file.cases.iter().filter(|r| r.name == "matmul/16").count() > 1, "{text}");
}

/// A case whose operation computes something else on the device than its definition says, at one element.
fn wrong_case() -> Case {
    let off = Custom::new("triple", |x, y| {
        y[0].data.iter_mut().zip(&x[0].data).for_each(|(y, x)| *y = 3.0 * x);
    })
    .cpu(|x, y| {
        y[0].iter_mut().zip(x[0]).for_each(|(y, x)| *y = 3.0 * x);
        y[0][2] += 1e-3;
    });
    Case::new("custom/triple_5", move |g| Ok(vec![off.apply_one(&[&g.x(&[5])?])?.exp()?]))
}

#[test]
fn a_wrong_result_is_an_error_that_names_the_case_and_the_element() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.json");
    let own = Arguments { json: Some(path.clone()), seed: Some(11), ..arguments(&[]) };
    let right = Case::new("right/exp_4", |g| Ok(vec![g.x(&[4])?.exp()?]));
    let wrong = wrong_case();
    let mut out = Vec::new();
    let list = [(&wrong, &wrong), (&right, &right)];
    let error = run(&own, &Device::cpu(), Size::Tiny, &list, None, &mut out).unwrap_err().to_string();
    for part in
        ["1 of 2 cases", "seed 11", "custom/triple_5", "`triple`", "tests.rs:", "element [2]", "oracle"]
    {
        assert!(error.contains(part), "`{part}` is missing in {error}");
    }
    let file = record::read(&path).unwrap();
    assert_eq!(file.cases.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["right/exp_4"]);
    assert_eq!(file.wrong[0].name, "custom/triple_5");
    assert!(String::from_utf8(out).unwrap().contains("WRONG"));
}

/// The oracle is too slow for large work: its smallest form is checked instead, and the record says so.
#[test]
fn a_large_case_is_checked_by_its_twin() {
    let large = Case::new("sum/large", |g| Ok(vec![g.x(&[64, 64])?.sum(&[-1], false)?]));
    let oracle = knotwork::ops::Cost { flops: 1000.0, bytes: 1e6 };
    let settings = Settings { seconds: 1.0, runs: Some(2), seed: 1, variants: false, peak: None, oracle };
    let came = |twin: &Case| {
        let mut all = Vec::new();
        let each = |outcome| {
            all.push(outcome);
            Ok(())
        };
        measure(&Device::cpu(), &large, twin, &settings, each).unwrap();
        all.remove(0)
    };
    let Outcome::Wrong(note) = came(&wrong_case()) else { panic!("the twin was not checked") };
    assert!(note.name == "sum/large" && note.message.contains("`triple`"), "{note:?}");
    let right = Case::new("sum/small", |g| Ok(vec![g.x(&[2, 3])?.sum(&[-1], false)?]));
    let Outcome::Measured(record) = came(&right) else { panic!("nothing was measured") };
    assert_eq!((record.checked.as_str(), record.flops), ("oracle, as sum/small", 64.0 * 64.0));
}

#[test]
fn seeds_are_fresh_unless_given() {
    let seed = |given| written(&Arguments { seed: given, ..arguments(&["matmul/16"]) }).1.seed;
    assert_eq!(seed(Some(5)), 5);
    assert_ne!(seed(None), seed(None));
}

fn save(file: &File, path: &Path) {
    std::fs::write(path, serde_json::to_string(file).unwrap()).unwrap();
}

#[test]
fn an_earlier_run_is_compared_with() {
    let (_, mut old) = written(&arguments(&["cumsum/last_12", "sgd", "matmul/24"]));
    old.device.driver = "another".into();
    old.cases[1].median_ns *= 1e6;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.json");
    save(&old, &path);
    let own = Arguments { compare: Some(path), ..arguments(&["cumsum/last_12", "sgd", "matmul/16"]) };
    let (text, now) = written(&own);
    let name = &old.cases[1].name;
    let pair = compare::pair(&old.cases[1], now.cases.iter().find(|r| r.name == *name).unwrap());
    assert!(pair.ratio > 100.0 && pair.clear, "{pair:?}");
    assert!(text.contains("another driver: another then"), "{text}");
    assert!(text.contains("over 2 cases") && text.contains("only in this run: matmul/16"), "{text}");
    // What was not asked for is not missed.
    assert!(!text.contains("only in the earlier run"), "{text}");
    let missed = Comparison::of(&old, &now, |_| true);
    assert_eq!(missed.gone, ["matmul/24"]);
    assert_eq!(Comparison::of(&old, &old, |_| true).mean(), Some(1.0));
}

#[test]
fn the_choice_of_another_variant_is_compared_with_what_was_chosen_before() {
    let (_, mut old) = written(&arguments(&["sgd"]));
    let mut slow = Record { variant: "sgd:old".into(), ..old.cases[0].clone() };
    slow.median_ns *= 2.0;
    let tried = Record { chosen: false, variant: "sgd:new".into(), ..old.cases[0].clone() };
    old.cases = vec![slow.clone(), tried.clone()];
    let now = Record { chosen: true, ..tried.clone() };
    assert_eq!(compare::before(&old, &now), Some(&slow));
    assert_eq!(compare::before(&old, &tried), Some(&tried));
}

#[test]
fn files_that_are_none_are_refused_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.json");
    let (_, good) = written(&arguments(&["sgd"]));
    let text = serde_json::to_string(&good).unwrap();
    let damaged = {
        let mut bad = good.clone();
        bad.cases[0].median_ns = -1.0;
        serde_json::to_string(&bad).unwrap()
    };
    let version = |n: u64| text.replacen("\"version\":1", &format!("\"version\":{n}"), 1);
    for (content, want) in [
        (text[..text.len() / 2].to_owned(), "is no file of `knotwork bench`: EOF"),
        ("\u{0}\u{1}".into(), "is no file of `knotwork bench`"),
        ("[1, 2]".into(), "no number `version`"),
        ("{\"version\": 1}".into(), "missing field"),
        (version(99), "version 99; this program knows versions up to 1"),
        (damaged, "`sgd/130` says median_ns is -1"),
    ] {
        std::fs::write(&path, content).unwrap();
        let own = Arguments { compare: Some(path.clone()), ..arguments(&["sgd"]) };
        let mut out = Vec::new();
        let error = kernels(&own, &mut out).unwrap_err();
        assert!(error.downcast_ref::<record::FileError>().is_some(), "{error:?}");
        let message = error.to_string();
        assert!(message.contains("old.json") && message.contains(want), "{message}");
        assert!(out.is_empty());
    }
    let own = Arguments { compare: Some(folder.path().join("none.json")), ..arguments(&["sgd"]) };
    let message = kernels(&own, &mut Vec::new()).unwrap_err().to_string();
    assert!(message.contains("cannot read") && message.contains("none.json"), "{message}");
}

#[test]
fn sizes_are_named_in_lists() {
    let mut out = Vec::new();
    let own = Arguments { list: true, size: Some(Size::Large), ..arguments(&["matmul/4096"]) };
    kernels(&own, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "matmul/4096\n");
}

#[test]
fn what_differs_from_the_cpu_is_found_on_large_work() {
    // The comparison that large work on a GPU gets, here over numbers of one's own.
    let (a, b) =
        (HostTensor::new(&[1.0f32, 2.0], [2]).unwrap(), HostTensor::new(&[1.0f32, 2.1], [2]).unwrap());
    let named = |t: &HostTensor| vec![("output 0".to_owned(), t.clone())];
    assert!(measure::agree(&named(&a), &named(&a)).is_ok());
    let error = measure::agree(&named(&b), &named(&a)).unwrap_err().to_string();
    assert!(error.contains("output 0: element 1") && error.contains("is 2.09"), "{error}");
}
