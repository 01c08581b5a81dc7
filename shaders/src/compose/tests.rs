//! The composer, on texts and on files that exist only here.

use super::*;
use pretty_assertions::assert_eq;

fn text(text: &str) -> Root<'_> {
    Root::Text { name: "t", text }
}

/// Composes among files of a test.
fn among(
    files: &'static [(&'static str, &'static str)],
    root: &str,
    flags: &[&str],
) -> Result<Composition, ComposeError> {
    let mut composer = Composer {
        find: &|name| files.iter().find(|(known, _)| *known == name).map(|(_, text)| *text),
        flags,
        constants: &[],
        used: Vec::new(),
        files: Vec::new(),
        open: Vec::new(),
        top: Vec::new(),
        body: Vec::new(),
    };
    composer.include("root", root)?;
    composer.finish("root")
}

#[test]
fn a_file_is_included_once_and_lines_keep_their_origin() {
    const FILES: &[(&str, &str)] = &[("a", "A1\n#import c\nA2"), ("b", "#import c\nB1"), ("c", "C1")];
    let composed = among(FILES, "#import a\n#import b\nR", &[]).unwrap();
    assert_eq!(composed.text, "A1\nC1\nA2\nB1\nR\n");
    let origins: Vec<_> = (1..=5).map(|line| composed.origin(line).unwrap()).collect();
    assert_eq!(origins, [("a", 1), ("c", 1), ("a", 3), ("b", 2), ("root", 3)]);
    assert_eq!(composed.origin(0), None);
}

#[test]
fn a_cycle_is_named_with_its_files() {
    const FILES: &[(&str, &str)] = &[("a", "\n#import b"), ("b", "#import a")];
    let error = among(FILES, "#import a", &[]).unwrap_err();
    assert_eq!(error.to_string(), "b:1: import cycle a -> b -> a");
}

#[test]
fn directives_that_must_come_first_do_so_from_anywhere() {
    const FILES: &[(&str, &str)] = &[("a", "fn a() {}\n  enable f16; // why\n#if off\nenable x;\n#endif")];
    let root = "fn r() {}\nenable f16;\n#import a\ndiagnostic(off, derivative_uniformity);\n@diagnostic(off, x) fn s() {}";
    let composed = among(FILES, root, &[]).unwrap();
    assert_eq!(
        composed.text,
        "enable f16;\ndiagnostic(off, derivative_uniformity);\nfn r() {}\nfn a() {}\n@diagnostic(off, x) fn s() {}\n"
    );
    assert_eq!(composed.origin(1), Some(("root", 2)));
    assert_eq!(composed.origin(4), Some(("a", 1)));
}

#[test]
fn conditions_nest() {
    let source = "#if a\n1\n#if b\n2\n#else\n3\n#endif\n#else\n4\n#if !b\n5\n#endif // end\n#endif\n6";
    let kept = |flags: &[&str]| compose(text(source), flags, &[]).unwrap().text.replace('\n', "");
    assert_eq!(kept(&[]), "456");
    assert_eq!(kept(&["a"]), "136");
    assert_eq!(kept(&["b"]), "46");
    assert_eq!(kept(&["a", "b", "unknown"]), "126");
}

#[test]
fn what_is_dropped_imports_nothing_but_still_balances() {
    assert_eq!(compose(text("#if a\n#import no/such\n#endif\nx"), &[], &[]).unwrap().text, "x\n");
    for (source, message) in [
        ("#if a\n#if b\n#endif", "t:1: `#if` without an `#endif`"),
        ("\n#else", "t:2: `#else` without an `#if`"),
        ("#if a\n#else\n#else\n#endif", "t:3: a second `#else`"),
        ("#endif", "t:1: `#endif` without an `#if`"),
        ("#import no/such", "t:1: there is no shader named `no/such` to import"),
        (
            "#if a\n#elif b\n#endif",
            "t:2: `#elif b` is none of `#import NAME`, `#if NAME`, `#if !NAME`, `#else`, `#endif`",
        ),
        ("#if", "t:1: `#if` is none of `#import NAME`, `#if NAME`, `#if !NAME`, `#else`, `#endif`"),
        (
            "#if a && b",
            "t:1: `#if a && b` is none of `#import NAME`, `#if NAME`, `#if !NAME`, `#else`, `#endif`",
        ),
    ] {
        assert_eq!(compose(text(source), &[], &[]).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_directive_in_a_comment_is_a_comment() {
    let source = "// #import no/such\n/*\n#endif\n*/\nx";
    assert_eq!(compose(text(source), &[], &[]).unwrap().text, format!("{source}\n"));
}

#[test]
fn constants_of_every_type_are_set_and_their_comments_stay() {
    let source = "const A: u32 = 64u; // é = a;\nconst B : i32 = 1i;\nconst C: f32 = 1.0;\nconst D: bool = false;\nalias T = f32;\nconst E: f32=2.0;";
    let constants = [
        ("A", Constant::U32(7)),
        ("B", Constant::I32(i32::MIN)),
        ("C", Constant::F32(1e-7)),
        ("D", Constant::Bool(true)),
        ("T", Constant::Type("vec4<f16>".into())),
        ("E", Constant::F32(f32::MAX)),
    ];
    let composed = compose(text(source), &[], &constants).unwrap();
    assert_eq!(
        composed.text,
        "const A: u32 = 7u; // é = a;\nconst B : i32 = i32(-2147483648);\nconst C: f32 = 1e-7f;\nconst D: bool = true;\nalias T = vec4<f16>;\nconst E: f32= 3.4028235e38f;\n"
    );
    let wgsl = format!("enable f16;\n{}", composed.text);
    crate::validate(&compose(text(&wgsl), &[], &[]).unwrap()).unwrap();
}

#[test]
fn a_constant_that_does_not_fit_is_an_error() {
    let set = |source, name, value| compose(text(source), &[], &[(name, value)]).unwrap_err().to_string();
    assert_eq!(
        set("const A: u32 = 1u;", "A", Constant::I32(1)),
        "t:1: `A` is declared with u32, and I32(1) was given"
    );
    assert!(set("const A = 1u;", "A", Constant::U32(1)).contains("declared with no type"));
    assert!(set("alias A = f32;", "A", Constant::F32(1.0)).contains("declared with alias"));
    assert!(set("const A: f32 = 1.0;", "A", Constant::F32(f32::NAN)).contains("cannot write"));
    assert!(set("alias A = f32;", "A", Constant::Type("f32; fn x() {}".into())).contains("cannot write"));
    // Not at module scope, not kept, not whole, or not there.
    for source in
        ["fn f() {\n const A: u32 = 1u;\n}", "#if x\nconst A: u32 = 1u;\n#endif", "const A: u32 =\n1u;", ""]
    {
        let error = set(source, "A", Constant::U32(2));
        assert!(error.contains("declares no `const A: TYPE"), "{source}: {error}");
    }
}

#[test]
fn a_named_root_must_exist() {
    let error = compose(Root::Named("no/such"), &[], &[]).unwrap_err();
    assert_eq!(error.to_string(), "there is no shader named `no/such`");
    assert_eq!(compose(Root::Named("shared/grid"), &[], &[]).unwrap().origin(1), Some(("shared/grid", 1)));
}

#[test]
fn the_browser_form_enables_subgroups_once_and_only_where_used() {
    let browser = |source| compose(text(source), &[], &[]).unwrap().for_browser();
    let plain = "// subgroupAdd\nfn f() { let subgroups = 1; }";
    assert_eq!(browser(plain).unwrap().text, format!("{plain}\n"));
    for used in ["\nfn f(@builtin(subgroup_size) n: u32) {}", "\nfn f() -> u32 { return quadSwapX(1u); }"] {
        let form = browser(used).unwrap();
        assert_eq!(form.text, format!("enable subgroups;\n{used}\n"));
        assert_eq!(form.origin(1), Some(("t", 2)));
        assert_eq!(form.origin(3), Some(("t", 2)));
        assert_eq!(form.for_browser().unwrap(), form);
    }
    let error = browser("fn f() {}\nenable f16, wgpu_cooperative_matrix;").unwrap_err();
    assert_eq!(error.to_string(), "t:2: `enable f16, wgpu_cooperative_matrix;` has no meaning in a browser");
}
