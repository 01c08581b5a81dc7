//! What `cargo xtask test --full` needs beyond a Vulkan driver: SwiftShader, a second software driver with other
//! subgroups and tighter limits; a newer lavapipe, the one with cooperative matrices; `spirv-val`; and Tint, Chrome's shader
//! compiler, as the npm package `webgpu`. The drivers and Tint are fetched into the target folder.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{mesa::Mesa, setup, target};

/// The npm package that carries Tint; a version of its own, so that a new one cannot turn a test red overnight.
const TINT: &str = "webgpu@0.6.2";
/// The Debian package that carries SwiftShader.
const SWIFTSHADER: &str = "chromium-common";
const MANIFEST: &str = "vk_swiftshader_icd.json";
const LIBRARY: &str = "libvk_swiftshader.so";

/// A driver that programs are made to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// The one that is found.
    Usual,
    /// SwiftShader alone.
    Second,
    /// The newer lavapipe alone.
    Cooperative,
}

/// Where the tools are.
pub struct Tools {
    /// SwiftShader's manifest.
    swiftshader: PathBuf,
    /// The newer lavapipe, or why it cannot be had on this platform.
    mesa: Result<Mesa, String>,
    /// The folder in which npm installed Tint.
    tint: PathBuf,
}

impl Tools {
    /// Says where the tools are, and installs what is missing where asked to.
    pub fn prepare(install: bool) -> Result<Self> {
        ensure!(cfg!(target_os = "linux"), "`--full` is for Linux: its second driver is a Debian package");
        let dir = target()?.join("tools");
        let tools = Self {
            swiftshader: dir.join("swiftshader").join(MANIFEST),
            mesa: Mesa::below(&dir),
            tint: dir.join("tint"),
        };
        if install {
            tools.install()?;
        }
        let missing = tools.missing();
        ensure!(missing.is_empty(), "missing: {}; run `cargo xtask setup --full`", missing.join(", "));
        println!("spirv-val: found");
        println!("SwiftShader: {}", tools.swiftshader.display());
        println!("Tint: {}", tools.tint.display());
        match &tools.mesa {
            Ok(mesa) => println!("newer lavapipe: {}", mesa.manifest().display()),
            Err(why) => println!("newer lavapipe: none: {why}"),
        }
        Ok(tools)
    }

    /// Why a driver cannot be had on this platform; none where it can.
    pub fn unavailable(&self, driver: Driver) -> Option<&str> {
        self.mesa.as_ref().err().filter(|_| driver == Driver::Cooperative).map(String::as_str)
    }

    /// A cargo command whose programs see that driver and the tools.
    pub fn command(&self, cargo: &OsStr, driver: Driver) -> Command {
        let mut command = Command::new(cargo);
        command.env("KNOTWORK_TINT", &self.tint);
        let manifest = match (driver, &self.mesa) {
            (Driver::Second, _) => self.swiftshader.clone(),
            (Driver::Cooperative, Ok(mesa)) => {
                command.arg("--config").arg(mesa.cargo_setting());
                mesa.manifest()
            }
            _ => return command,
        };
        command.env("VK_DRIVER_FILES", &manifest).env("VK_ICD_FILENAMES", &manifest);
        command.env_remove("KNOTWORK_DEVICE");
        command
    }

    fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if !starts("spirv-val") {
            missing.push("spirv-val");
        }
        if !starts("node") {
            missing.push("node");
        }
        if !self.has_swiftshader() {
            missing.push("SwiftShader");
        }
        if !self.has_tint() {
            missing.push("Tint");
        }
        if self.lacks_mesa() {
            missing.push("the newer lavapipe");
        }
        missing
    }

    fn has_swiftshader(&self) -> bool {
        self.swiftshader.is_file() && self.swiftshader.with_file_name(LIBRARY).is_file()
    }

    fn has_tint(&self) -> bool {
        self.tint.join("node_modules/webgpu/package.json").is_file()
    }

    /// Whether the newer lavapipe could be here, and is not.
    fn lacks_mesa(&self) -> bool {
        self.mesa.as_ref().is_ok_and(|mesa| !mesa.is_there())
    }

    fn install(&self) -> Result<()> {
        let mut packages = Vec::new();
        if !starts("spirv-val") {
            packages.push("spirv-tools");
        }
        if !starts("node") || !starts("npm") {
            packages.extend(["nodejs", "npm"]);
        }
        if packages.is_empty() && self.has_swiftshader() && self.has_tint() && !self.lacks_mesa() {
            return Ok(());
        }
        if !packages.is_empty() || !self.has_swiftshader() || self.lacks_mesa() {
            ensure!(
                setup::on_debian(),
                "this installs on Debian and its kin only: install {} yourself, and put {LIBRARY} and {MANIFEST} of \
                 SwiftShader into {}",
                if packages.is_empty() { "nothing else".into() } else { packages.join(", ") },
                self.swiftshader.parent().unwrap_or(Path::new(".")).display()
            );
            setup::apt(&["update"])?;
        }
        if !packages.is_empty() {
            setup::apt(&[&["install", "-y", "--no-install-recommends"], packages.as_slice()].concat())?;
        }
        if !self.has_swiftshader() {
            self.fetch_swiftshader()?;
        }
        if !self.has_tint() {
            fs::create_dir_all(&self.tint)
                .with_context(|| format!("could not make {}", self.tint.display()))?;
            let arguments = ["install", "--no-audit", "--no-fund", "--ignore-scripts", TINT, "--prefix", "."];
            run("npm", &arguments, &self.tint)?;
        }
        match &self.mesa {
            Ok(mesa) if !mesa.is_there() => mesa.install(),
            _ => Ok(()),
        }
    }

    /// Two files out of a package that is unpacked, not installed.
    fn fetch_swiftshader(&self) -> Result<()> {
        let dir = self.swiftshader.parent().context("the tools have no folder")?;
        let unpacked = dir.join("unpacked");
        let _ = fs::remove_dir_all(dir);
        fs::create_dir_all(&unpacked).with_context(|| format!("could not make {}", unpacked.display()))?;
        run("apt-get", &["download", SWIFTSHADER], dir)?;
        let package = fs::read_dir(dir)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|e| e == "deb"));
        let Some(package) = package else { bail!("apt-get brought no package {SWIFTSHADER}") };
        let (from, to) = (package.to_string_lossy(), unpacked.to_string_lossy());
        run("dpkg-deb", &["-x", &from, &to], dir)?;
        for file in [LIBRARY, MANIFEST] {
            let at = unpacked.join("usr/lib/chromium").join(file);
            fs::copy(&at, dir.join(file)).with_context(|| format!("{SWIFTSHADER} has no {file}"))?;
        }
        fs::remove_dir_all(&unpacked)?;
        fs::remove_file(&package)?;
        Ok(())
    }
}

/// Whether a program can be started.
fn starts(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Runs a command in a folder.
pub fn run(program: &str, arguments: &[&str], dir: &Path) -> Result<()> {
    let line = format!("{program} {}", arguments.join(" "));
    println!("> {line}");
    let status = Command::new(program).args(arguments).current_dir(dir).status();
    let status = status.with_context(|| format!("could not start `{line}`"))?;
    ensure!(status.success(), "`{line}` failed ({status})");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let nowhere = std::env::temp_dir().join("knotwork-no-such-folder");
        let mesa = Mesa::below(&nowhere);
        let could = mesa.is_ok();
        let tools = Tools { swiftshader: nowhere.join(MANIFEST), mesa, tint: nowhere };
        let missing = tools.missing();
        assert!(missing.contains(&"SwiftShader") && missing.contains(&"Tint"), "{missing:?}");
        assert_eq!(missing.contains(&"the newer lavapipe"), could, "{missing:?}");
    }

    #[test]
    fn a_second_driver_is_the_only_one_seen() {
        let mesa = Err("not for this platform".into());
        let tools = Tools { swiftshader: "/sw.json".into(), mesa, tint: "/tint".into() };
        let command = tools.command("true".as_ref(), Driver::Second);
        let seen = |name: &str| command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
        assert_eq!(seen("VK_DRIVER_FILES"), Some("/sw.json".as_ref()));
        assert_eq!(seen("KNOTWORK_TINT"), Some("/tint".as_ref()));
        assert_eq!(tools.unavailable(Driver::Second), None);
        assert_eq!(tools.unavailable(Driver::Cooperative), Some("not for this platform"));
    }
}
