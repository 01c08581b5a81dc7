use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use pretty_assertions::assert_eq;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use super::*;

/// Keeps the fields of warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<String>>);

impl Visit for Warnings {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push_str(&format!("{}={value:?} ", field.name()));
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn shipped() -> Tuned {
    let mut table = Tuned::new("shipped", "any", "none");
    table.choose("matmul", "thin", "tile32");
    table.choose("matmul", "wide", "tile128");
    table
}

fn written(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("knotwork-tuned-{}-{name}.json", std::process::id()));
    fs::write(&path, text).unwrap();
    path
}

/// The table with a file before it, and the warnings on the way.
fn with(name: &str, text: &str) -> (Tuned, String, String) {
    let path = written(name, text);
    let warnings = Warnings::default();
    let table = tracing::subscriber::with_default(warnings.clone(), || shipped().with_file(&path, "1.2"));
    fs::remove_file(&path).unwrap();
    let said = warnings.0.lock().unwrap().clone();
    (table, said, path.display().to_string())
}

#[test]
fn a_users_table_comes_first_where_it_says_something() {
    let mut user = Tuned::new("mine", "1.2", "abc");
    user.choose("matmul", "wide", "tile64");
    user.choose("softmax", "rows", "tree");
    let (table, said, _) = with("valid", &user.to_json());
    assert_eq!(said, "");
    assert_eq!(table.choice("matmul", "wide"), Some("tile64"));
    assert_eq!(table.choice("matmul", "thin"), Some("tile32"));
    assert_eq!(table.choice("softmax", "rows"), Some("tree"));
    assert_eq!((table.device.as_str(), table.commit.as_str()), ("mine", "abc"));
}

#[test]
fn a_table_that_is_not_there_is_no_matter() {
    let warnings = Warnings::default();
    let none = std::env::temp_dir().join("knotwork-no-such-folder/tuned.json");
    let table = tracing::subscriber::with_default(warnings.clone(), || shipped().with_file(&none, "1.2"));
    assert_eq!(table, shipped());
    assert_eq!(*warnings.0.lock().unwrap(), "");
}

#[test]
fn a_table_that_cannot_be_used_is_ignored_with_a_warning_that_says_why() {
    let mut other = Tuned::new("mine", "1.1", "abc");
    other.choose("matmul", "wide", "tile64");
    let later = other.to_json().replace("\"format\": 1", "\"format\": 2").replace("1.1", "1.2");
    let shapeless = other.to_json().replace("\"tile64\"", "64").replace("1.1", "1.2");
    let half = &other.to_json()[..40];
    for (name, text, reason) in [
        ("driver", other.to_json().as_str(), "measured with the driver `1.1`; this is `1.2`"),
        ("later", &later, "its format is 2; this version of Knotwork reads up to 1"),
        ("half", half, "it is not valid JSON"),
        ("empty", "", "it is not valid JSON"),
        ("list", "[1, 2]", "it has no number `format`"),
        ("no choices", r#"{"format":1,"device":"","driver":"1.2","commit":""}"#, "it has no `choices`"),
        ("no driver", r#"{"format":1,"device":"","commit":"","choices":{}}"#, "it has no text `driver`"),
        ("a number", &shapeless, "`matmul` `wide`: no name"),
    ] {
        let (table, said, path) = with(name, text);
        assert_eq!(table, shipped(), "{name}");
        assert!(said.contains(reason) && said.contains(&path), "{name}: {said}");
    }
    // Not even text.
    let path = written("bytes", "");
    fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    let warnings = Warnings::default();
    let table = tracing::subscriber::with_default(warnings.clone(), || shipped().with_file(&path, "1.2"));
    fs::remove_file(&path).unwrap();
    assert_eq!(table, shipped());
    assert!(warnings.0.lock().unwrap().contains("the tuned table is ignored"));
}

#[test]
fn the_shipped_tables_can_be_read() {
    for text in
        [include_str!("software.json"), include_str!("discrete.json"), include_str!("integrated.json")]
    {
        let table = Tuned::read(text).unwrap();
        // Whatever chooses says what measured it.
        let measured = !table.driver.is_empty() && !table.commit.is_empty();
        assert!(measured || table.choices().next().is_none());
    }
}

#[test]
fn choices_move_to_the_front_and_unknown_ones_move_nothing() {
    let lowering = |variant| Lowering { variant, scratch: Vec::new(), dispatches: Vec::new() };
    let order = |class: &str| {
        let mut all = ["a", "tile32", "c", "tile64"].map(lowering);
        shipped().order("matmul", class, &mut all);
        all.map(|l| l.variant)
    };
    assert_eq!(order("thin"), ["tile32", "a", "c", "tile64"]);
    assert_eq!(order("wide"), ["a", "tile32", "c", "tile64"]); // tile128 is not offered
    assert_eq!(order("no such class"), ["a", "tile32", "c", "tile64"]);
}
