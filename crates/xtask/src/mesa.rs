//! A lavapipe that is newer than the system's: the one software driver with cooperative matrices, 8x8 of f16.
//!
//! It comes out of Debian's next release, and so does all that it is linked to, the C library included. So no package is
//! installed: the release's libraries lie in a folder of their own, and a program that is to see the driver is started by
//! their dynamic linker. A small Debian is unpacked for that (`debootstrap`), and thrown away but for its libraries.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{full::run, setup};

/// The release of Debian that has it.
const RELEASE: &str = "forky";
/// How that release is unpacked: a `debootstrap` that is older than the release does not know it by name.
const SCRIPT: &str = "/usr/share/debootstrap/scripts/sid";
const LIBRARY: &str = "libvulkan_lvp.so";
const MANIFEST: &str = "lvp_icd.json";
/// What has not run where the driver is missing.
const UNTESTED: &str = "without it the products by cooperative matrices run nowhere in the tests";

/// Where the driver and its libraries are.
pub struct Mesa {
    dir: PathBuf,
}

impl Mesa {
    /// In a folder of that name below the tools'; none on a platform for which it cannot be had, and why.
    pub fn below(tools: &Path) -> Result<Self, String> {
        let unavailable = |why: String| Err(format!("{why}; {UNTESTED}"));
        if !setup::on_debian() {
            return unavailable("the newer lavapipe is fetched on Debian and its kin only".into());
        }
        if linker().is_none() {
            return unavailable(format!("the newer lavapipe is not fetched for {}", env::consts::ARCH));
        }
        Ok(Self { dir: tools.join("mesa") })
    }

    /// Whether it is there.
    pub fn is_there(&self) -> bool {
        [MANIFEST, LIBRARY, linker().unwrap_or_default()].iter().all(|file| self.dir.join(file).is_file())
    }

    /// The manifest by which a Vulkan loader finds it.
    pub fn manifest(&self) -> PathBuf {
        self.dir.join(MANIFEST)
    }

    /// The setting under which cargo starts what it built by the driver's own dynamic linker.
    pub fn cargo_setting(&self) -> String {
        // In TOML's literal strings nothing is escaped.
        let quoted = |path: &Path| format!("'{}'", path.display());
        format!(
            "target.{}-unknown-linux-gnu.runner=[{},'--library-path',{}]",
            env::consts::ARCH,
            quoted(&self.dir.join(linker().unwrap_or_default())),
            quoted(&self.dir)
        )
    }

    /// Fetches it.
    pub fn install(&self) -> Result<()> {
        let made = self.fetch();
        let _ = setup::as_root(&["rm", "-rf", &self.unpacked().to_string_lossy()]);
        if made.is_err() {
            let _ = fs::remove_dir_all(&self.dir);
        }
        made.with_context(|| format!("the newer lavapipe could not be fetched; {UNTESTED}"))
    }

    fn unpacked(&self) -> PathBuf {
        self.dir.with_file_name("mesa.unpacked")
    }

    fn fetch(&self) -> Result<()> {
        setup::apt(&["install", "-y", "--no-install-recommends", "debootstrap", "debian-archive-keyring"])?;
        let unpacked = self.unpacked();
        let to = unpacked.to_string_lossy();
        setup::as_root(&["rm", "-rf", &to])?;
        // An empty mirror is the default one.
        let mirror = mirror().unwrap_or_default();
        let include = "--include=mesa-vulkan-drivers,libvulkan1";
        setup::as_root(&["debootstrap", "--variant=minbase", include, RELEASE, &to, &mirror, SCRIPT])?;
        let _ = fs::remove_dir_all(&self.dir);
        fs::create_dir_all(&self.dir).with_context(|| format!("could not make {}", self.dir.display()))?;
        let libraries = unpacked.join(format!("usr/lib/{}-linux-gnu", env::consts::ARCH));
        // Libraries and the linker, and of links only that they are links: some libraries have three names.
        let copy = "cp -P \"$1\"/*.so* \"$2\"";
        run("sh", &["-c", copy, "sh", &libraries.to_string_lossy(), "."], &self.dir)?;
        // A library named with a slash is looked for from its manifest on.
        let manifest = format!(
            "{{\"file_format_version\": \"1.0.1\", \"ICD\": {{\"library_path\": \"./{LIBRARY}\", \"api_version\": \"1.3.0\"}}}}"
        );
        fs::write(self.manifest(), manifest)?;
        if !self.is_there() {
            bail!("{RELEASE} brought no {LIBRARY}, or no dynamic linker");
        }
        Ok(())
    }
}

/// The dynamic linker of this architecture.
fn linker() -> Option<&'static str> {
    match env::consts::ARCH {
        "x86_64" => Some("ld-linux-x86-64.so.2"),
        "aarch64" => Some("ld-linux-aarch64.so.1"),
        _ => None,
    }
}

/// The mirror that this machine takes Debian from, where it is a Debian.
fn mirror() -> Option<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let sources = read("/etc/apt/sources.list.d/debian.sources") + &read("/etc/apt/sources.list");
    first_mirror(&sources)
}

/// The first address in apt's lists, in either of their forms, that ends as Debian's own archive does.
fn first_mirror(sources: &str) -> Option<String> {
    let lines = sources.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines
        .filter(|line| line.starts_with("URIs:") || line.starts_with("deb "))
        .flat_map(str::split_whitespace)
        .find(|word| word.contains("://") && word.trim_end_matches('/').ends_with("/debian"))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_first_of_debian_itself() {
        let new = "Types: deb\n# URIs: http://old.example/debian\nURIs: http://near.example/debian\nSuites: bookworm\n";
        assert_eq!(first_mirror(new).as_deref(), Some("http://near.example/debian"));
        let old = "deb [signed-by=/k] https://near.example/debian/ bookworm main\n";
        assert_eq!(first_mirror(old).as_deref(), Some("https://near.example/debian/"));
        assert_eq!(first_mirror("URIs: http://other.example/ubuntu\n"), None);
        assert_eq!(first_mirror(""), None);
    }

    #[test]
    fn programs_are_started_by_the_drivers_own_linker() {
        let mesa = Mesa { dir: "/a folder/mesa".into() };
        assert!(!mesa.is_there());
        let Some(linker) = linker() else { return };
        let setting = mesa.cargo_setting();
        assert!(
            setting.contains(&format!("['/a folder/mesa/{linker}','--library-path','/a folder/mesa']")),
            "{setting}"
        );
    }
}
