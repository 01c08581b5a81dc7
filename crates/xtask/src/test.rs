//! `cargo xtask test`: every check, in order of what fails soonest, up to the first that does not hold.

use std::env;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::{root, setup};

/// One check: a cargo command that succeeds where the check holds.
struct Step {
    name: &'static str,
    cargo: &'static [&'static str],
}

/// The checks. `CARGO_BUILD_JOBS` and everything else in the environment reaches each of them.
const STEPS: &[Step] = &[
    Step { name: "format", cargo: &["fmt", "--all", "--check"] },
    Step { name: "lints", cargo: &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"] },
    Step { name: "build without gpu", cargo: &["build", "-p", "knotwork", "--no-default-features"] },
    // unit tests, integration tests and the examples in the documentation
    Step { name: "tests", cargo: &["test", "--workspace", "--all-features"] },
    Step { name: "kernel harness", cargo: &["run", "--release", "-p", "kernels-test", "--", "harness"] },
    Step {
        name: "random graphs",
        cargo: &["run", "--release", "-p", "kernels-test", "--", "random", "--count", "30"],
    },
    Step {
        name: "conformance cases",
        cargo: &[
            "run",
            "--release",
            "-p",
            "kernels-test",
            "--",
            "cases",
            "kernels-test/cases/dev",
            "--known",
        ],
    },
];

/// Runs every step; an error names the first that failed.
pub fn run(install: bool) -> Result<()> {
    let start = Instant::now();
    if install { setup::install() } else { setup::check() }?;
    let root = root()?;
    let runtime_dir = setup::runtime_dir(&root)?;
    // the cargo that runs this task, so that a toolchain chosen with `+name` holds throughout
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    for (index, step) in STEPS.iter().enumerate() {
        println!("\n[{}/{}] {}: {}", index + 1, STEPS.len(), step.name, step.line());
        let since = Instant::now();
        let status = Command::new(&cargo)
            .args(step.cargo)
            .current_dir(&root)
            .env("XDG_RUNTIME_DIR", &runtime_dir)
            .status()
            .with_context(|| format!("could not start `{}`", step.line()))?;
        let seconds = since.elapsed().as_secs_f64();
        ensure!(status.success(), "step \"{}\" failed after {seconds:.1} s: `{}`", step.name, step.line());
        println!("[{}/{}] {}: ok in {seconds:.1} s", index + 1, STEPS.len(), step.name);
    }
    println!("\nall {} steps passed in {:.1} s", STEPS.len(), start.elapsed().as_secs_f64());
    Ok(())
}

impl Step {
    /// The step as one would type it.
    fn line(&self) -> String {
        format!("cargo {}", self.cargo.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn steps_have_names_of_their_own() {
        let names: BTreeSet<_> = STEPS.iter().map(|step| step.name).collect();
        assert_eq!(names.len(), STEPS.len());
    }

    #[test]
    fn a_step_reads_as_one_would_type_it() {
        assert_eq!(STEPS[0].line(), "cargo fmt --all --check");
    }

    /// Cheap checks first: a stray space should not cost a build.
    #[test]
    fn format_and_lints_come_before_tests_and_tests_before_releases() {
        let place = |word: &str| STEPS.iter().position(|step| step.cargo.contains(&word)).unwrap();
        assert!(place("fmt") < place("clippy"));
        assert!(place("clippy") < place("test"));
        assert!(place("test") < place("--release"));
    }

    /// A package, folder or file that a step names is in the repository.
    #[test]
    fn what_a_step_names_exists() {
        let root = root().unwrap();
        let manifest = |package: &str| {
            [format!("crates/{package}"), package.to_string()].iter().any(|dir| root.join(dir).is_dir())
        };
        for step in STEPS {
            for pair in step.cargo.windows(2).filter(|pair| pair[0] == "-p") {
                assert!(manifest(pair[1]), "{}: there is no package {}", step.name, pair[1]);
            }
            for path in step.cargo.iter().filter(|word| word.contains('/')) {
                assert!(root.join(path).exists(), "{}: there is no {path}", step.name);
            }
        }
    }
}
