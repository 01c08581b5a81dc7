//! `cargo xtask test`: every check, in order of what fails soonest, up to the first that does not hold.

use std::env;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::{
    full::{Driver, Tools},
    root, setup,
};

/// One check: a cargo command that succeeds where the check holds.
struct Step {
    name: &'static str,
    cargo: &'static [&'static str],
    /// On which driver: on another than the one that is found only with `--full`.
    driver: Driver,
}

/// The checks. `CARGO_BUILD_JOBS` and everything else in the environment reaches each of them.
const STEPS: &[Step] = &[
    step("format", &["fmt", "--all", "--check"]),
    step("lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    step("build without gpu", &["build", "-p", "knotwork", "--no-default-features"]),
    // unit tests, integration tests and the examples in the documentation
    step("tests", &["test", "--workspace", "--all-features"]),
    // everything on the CPU and the checked profile; of the trusted one, whose text is the same, every kernel
    // once
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
        driver: Driver::Second,
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
        driver: Driver::Second,
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
    Step {
        driver: Driver::Cooperative,
        ..step(
            "products by cooperative matrices",
            &[
                "run",
                "--release",
                "-p",
                "kernels-test",
                "--",
                "harness",
                "--backend",
                "wgpu",
                "--cooperative",
                "--op",
                "matmul_f16",
                "--short",
            ],
        )
    },
    Step {
        driver: Driver::Cooperative,
        // with the features of the other tests: with its own package's alone, half of all would be compiled again
        ..step(
            "steps fused into products by cooperative matrices",
            &["test", "--workspace", "--all-features", "--test", "cooperative", "--", "--include-ignored"],
        )
    },
];

const fn step(name: &'static str, cargo: &'static [&'static str]) -> Step {
    Step { name, cargo, driver: Driver::Usual }
}

/// Runs every step, those of `--full` where its tools are given; an error names the first that failed.
pub fn run(tools: Option<&Tools>) -> Result<()> {
    let start = Instant::now();
    let root = root()?;
    let runtime_dir = setup::runtime_dir()?;
    let steps: Vec<&Step> =
        STEPS.iter().filter(|step| tools.is_some() || step.driver == Driver::Usual).collect();
    // the cargo that runs this task, so that a toolchain chosen with `+name` holds throughout
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut skipped = 0;
    for (index, step) in steps.iter().enumerate() {
        println!("\n[{}/{}] {}: {}", index + 1, steps.len(), step.name, step.line());
        if let Some(why) = tools.and_then(|tools| tools.unavailable(step.driver)) {
            println!("[{}/{}] {}: SKIPPED: {why}", index + 1, steps.len(), step.name);
            skipped += 1;
            continue;
        }
        let since = Instant::now();
        let mut command = match tools {
            Some(tools) => tools.command(&cargo, step.driver),
            None => Command::new(&cargo),
        };
        command.args(step.cargo).current_dir(&root).env("XDG_RUNTIME_DIR", &runtime_dir);
        let status = command.status().with_context(|| format!("could not start `{}`", step.line()))?;
        let seconds = since.elapsed().as_secs_f64();
        ensure!(status.success(), "step \"{}\" failed after {seconds:.1} s: `{}`", step.name, step.line());
        println!("[{}/{}] {}: ok in {seconds:.1} s", index + 1, steps.len(), step.name);
    }
    let seconds = start.elapsed().as_secs_f64();
    match skipped {
        0 => println!("\nall {} steps passed in {seconds:.1} s", steps.len()),
        n => println!("\n{} steps passed in {seconds:.1} s, {n} SKIPPED", steps.len() - n),
    }
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
