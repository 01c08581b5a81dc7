//! `cargo xtask test`: every check, in order of what fails soonest, up to the first that does not hold.

use std::env;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::{full::Tools, root, setup};

/// One check: a cargo command that succeeds where the check holds.
struct Step {
    name: &'static str,
    cargo: &'static [&'static str],
    /// On SwiftShader instead of the driver that is found: only with `--full`.
    second_driver: bool,
}

/// The checks. `CARGO_BUILD_JOBS` and everything else in the environment reaches each of them.
const STEPS: &[Step] = &[
    step("format", &["fmt", "--all", "--check"]),
    step("lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    step("build without gpu", &["build", "-p", "knotwork", "--no-default-features"]),
    // unit tests, integration tests and the examples in the documentation
    step("tests", &["test", "--workspace", "--all-features"]),
    // everything on the CPU and the checked profile; of the trusted one, whose text is the same, every kernel once
    step(
        "kernel harness",
        &["run", "--release", "-p", "kernels-test", "--", "harness", "--profile", "checked"],
    ),
    step(
        "kernel harness, trusted",
        &[
            "run",
            "--release",
            "-p",
            "kernels-test",
            "--",
            "harness",
            "--backend",
            "wgpu",
            "--profile",
            "trusted",
            "--short",
        ],
    ),
    step("random graphs", &["run", "--release", "-p", "kernels-test", "--", "random", "--count", "30"]),
    step(
        "conformance cases",
        &["run", "--release", "-p", "kernels-test", "--", "cases", "kernels-test/cases/dev"],
    ),
    Step {
        second_driver: true,
        ..step(
            "kernel harness on a second driver",
            &[
                "run",
                "--release",
                "-p",
                "kernels-test",
                "--",
                "harness",
                "--backend",
                "wgpu",
                "--profile",
                "checked",
                "--short",
            ],
        )
    },
    Step {
        second_driver: true,
        ..step(
            "conformance cases on a second driver",
            &[
                "run",
                "--release",
                "-p",
                "kernels-test",
                "--",
                "cases",
                "kernels-test/cases/dev",
                "--backend",
                "wgpu",
            ],
        )
    },
];

const fn step(name: &'static str, cargo: &'static [&'static str]) -> Step {
    Step { name, cargo, second_driver: false }
}

/// Runs every step, those of `--full` where its tools are given; an error names the first that failed.
pub fn run(tools: Option<&Tools>) -> Result<()> {
    let start = Instant::now();
    let root = root()?;
    let runtime_dir = setup::runtime_dir()?;
    let steps: Vec<&Step> = STEPS.iter().filter(|step| tools.is_some() || !step.second_driver).collect();
    // the cargo that runs this task, so that a toolchain chosen with `+name` holds throughout
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    for (index, step) in steps.iter().enumerate() {
        println!("\n[{}/{}] {}: {}", index + 1, steps.len(), step.name, step.line());
        let since = Instant::now();
        let mut command = Command::new(&cargo);
        command.args(step.cargo).current_dir(&root).env("XDG_RUNTIME_DIR", &runtime_dir);
        if let Some(tools) = tools {
            tools.show(&mut command, step.second_driver);
        }
        let status = command.status().with_context(|| format!("could not start `{}`", step.line()))?;
        let seconds = since.elapsed().as_secs_f64();
        ensure!(status.success(), "step \"{}\" failed after {seconds:.1} s: `{}`", step.name, step.line());
        println!("[{}/{}] {}: ok in {seconds:.1} s", index + 1, steps.len(), step.name);
    }
    println!("\nall {} steps passed in {:.1} s", steps.len(), start.elapsed().as_secs_f64());
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
