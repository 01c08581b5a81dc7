//! `cargo xtask setup`: is there a Vulkan loader and a driver for it, and if not, install Mesa's software driver.
//!
//! The loader is the library `libvulkan.so.1`. A driver makes itself known by a manifest, a `.json` file in one of
//! the folders that the loader searches, or one that an environment variable names. What is searched, and in which
//! order, follows the loader's own documentation ("Driver interface to the Vulkan loader").
//! macOS and Windows bring Metal and DX12 along, so there is nothing to do.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

const LOADER: &str = "libvulkan.so.1";
const PACKAGES: [&str; 2] = ["mesa-vulkan-drivers", "libvulkan1"];

/// What the loader and a program would find on this machine.
#[derive(Debug, PartialEq)]
struct Vulkan {
    loader: Option<PathBuf>,
    drivers: Vec<PathBuf>,
}

impl Vulkan {
    fn find() -> Self {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            loader: find_loader(&library_dirs(&variable)),
            drivers: find_drivers(&driver_places(&variable)),
        }
    }

    fn complete(&self) -> bool {
        self.loader.is_some() && !self.drivers.is_empty()
    }

    fn print(&self) {
        match &self.loader {
            Some(path) => println!("Vulkan loader: {}", path.display()),
            None => println!("Vulkan loader: none ({LOADER} was not found)"),
        }
        if self.drivers.is_empty() {
            println!("Vulkan driver: none (no driver manifest was found)");
        }
        for path in &self.drivers {
            let kind = if is_software(path) { "software" } else { "hardware" };
            println!("Vulkan driver: {} ({kind})", path.display());
        }
    }
}

/// Says what is there; an error where a test could not run on a GPU or a software stand-in.
pub fn check() -> Result<()> {
    if !cfg!(target_os = "linux") {
        println!("Vulkan: nothing to set up on {}, its own graphics interface is used", env::consts::OS);
        return Ok(());
    }
    let found = Vulkan::find();
    found.print();
    ensure!(found.complete(), "no working Vulkan here: run `cargo xtask setup`");
    Ok(())
}

/// Says what is there and installs what is missing.
pub fn install() -> Result<()> {
    if !cfg!(target_os = "linux") || Vulkan::find().complete() {
        return check();
    }
    Vulkan::find().print();
    ensure!(
        !names_drivers(),
        "VK_DRIVER_FILES or VK_ICD_FILENAMES names drivers that are not there, and while it is set no other driver is \
         looked for: correct or unset it"
    );
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !is_debian(&release) {
        bail!("{}", advice(&release));
    }
    apt(&["update"])?;
    apt(&[&["install", "-y", "--no-install-recommends"], &PACKAGES[..]].concat())?;
    let found = Vulkan::find();
    found.print();
    ensure!(found.complete(), "{} are installed, yet no Vulkan driver was found", PACKAGES.join(" and "));
    Ok(())
}

/// The folder for `XDG_RUNTIME_DIR` of the programs that tests start: the one that is set, or a private one under the
/// target folder. Vulkan drivers complain at each start where it is missing.
pub fn runtime_dir() -> Result<PathBuf> {
    if let Some(set) = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_dir()) {
        return Ok(set);
    }
    let dir = crate::target()?.join("xdg-runtime");
    fs::create_dir_all(&dir).with_context(|| format!("could not make {}", dir.display()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))
            .with_context(|| format!("could not make {} private", dir.display()))?;
    }
    Ok(dir)
}

/// Where the dynamic linker may find a library: its variable, then the folders of the common distributions.
fn library_dirs(variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> =
        variable("LD_LIBRARY_PATH").map(|paths| env::split_paths(&paths).collect()).unwrap_or_default();
    for base in ["/usr/local/lib", "/usr/lib", "/lib"] {
        dirs.push(format!("{base}/{}-linux-gnu", env::consts::ARCH).into());
        dirs.push(format!("{base}64").into());
        dirs.push(base.into());
    }
    dirs
}

/// Where manifests may lie: the files or folders that a variable names, or else every folder of the search path.
fn driver_places(variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let list = |name: &str| variable(name).map(|paths| env::split_paths(&paths).collect::<Vec<_>>());
    if let Some(named) = list("VK_DRIVER_FILES").or_else(|| list("VK_ICD_FILENAMES")) {
        return named;
    }
    let mut places = list("VK_ADD_DRIVER_FILES").unwrap_or_default();
    let home = |below: &str| variable("HOME").map(|home| Path::new(&home).join(below));
    let mut bases: Vec<PathBuf> = Vec::new();
    bases.extend(variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| home(".config")));
    bases.extend(list("XDG_CONFIG_DIRS").unwrap_or_else(|| vec!["/etc/xdg".into()]));
    bases.extend(["/usr/local/etc", "/etc"].map(PathBuf::from));
    bases.extend(variable("XDG_DATA_HOME").map(PathBuf::from).or_else(|| home(".local/share")));
    bases.extend(list("XDG_DATA_DIRS").unwrap_or_default());
    bases.extend(["/usr/local/share", "/usr/share"].map(PathBuf::from));
    places.extend(bases.iter().map(|base| base.join("vulkan/icd.d")));
    places
}

/// True where the environment fixes which drivers are looked for, so that an installed one would not be seen.
fn names_drivers() -> bool {
    ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"]
        .iter()
        .any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn find_loader(dirs: &[PathBuf]) -> Option<PathBuf> {
    dirs.iter().map(|dir| dir.join(LOADER)).find(|path| path.is_file())
}

/// Every manifest in these places, each a folder or a manifest itself; sorted within a folder, each once.
fn find_drivers(places: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for place in places {
        let mut here: Vec<PathBuf> = match fs::read_dir(place) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(_) => vec![place.clone()],
        };
        here.retain(|path| path.is_file() && path.extension().is_some_and(|extension| extension == "json"));
        here.sort();
        for path in here {
            if !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found
}

/// Mesa's lavapipe and SwiftShader compute on the CPU; every other driver is for a device.
fn is_software(manifest: &Path) -> bool {
    let name = manifest.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    ["lvp", "lavapipe", "swiftshader"].iter().any(|driver| name.contains(driver))
}

/// The distribution's own name and those that it derives from, out of `/etc/os-release`.
fn distributions(release: &str) -> Vec<String> {
    release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace())
        .map(str::to_lowercase)
        .collect()
}

/// Whether this is Debian or one of its kin, where `apt-get` installs.
pub fn on_debian() -> bool {
    is_debian(&fs::read_to_string("/etc/os-release").unwrap_or_default())
}

fn is_debian(release: &str) -> bool {
    distributions(release).iter().any(|name| name == "debian" || name == "ubuntu")
}

/// What to type on a distribution that this task does not install on.
fn advice(release: &str) -> String {
    let known = [
        (&["fedora", "rhel", "centos"][..], "dnf install vulkan-loader mesa-vulkan-drivers"),
        (&["arch"], "pacman -S vulkan-icd-loader vulkan-swrast"),
        (&["suse", "opensuse"], "zypper install libvulkan1 libvulkan_lvp"),
        (&["alpine"], "apk add vulkan-loader mesa-vulkan-swrast"),
    ];
    let names = distributions(release);
    let command = known.iter().find(|(group, _)| names.iter().any(|name| group.contains(&name.as_str())));
    match command {
        Some((_, command)) => {
            format!("no working Vulkan here: install the loader and a driver with `{command}`")
        }
        None => {
            let all: Vec<String> = known.iter().map(|(_, command)| format!("  {command}")).collect();
            format!(
                "no working Vulkan here: install its loader and a driver, for example\n{}",
                all.join("\n")
            )
        }
    }
}

/// Runs `apt-get`, through sudo where this is not root.
pub fn apt(arguments: &[&str]) -> Result<()> {
    // env, so that the variable reaches apt-get through sudo as well
    as_root(&[&["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat())
}

/// Runs a command, through sudo where this is not root.
pub fn as_root(words: &[&str]) -> Result<()> {
    let mut words = words.to_vec();
    if !is_root()? {
        words.insert(0, "sudo");
    }
    let line = words.join(" ");
    println!("> {line}");
    let status = Command::new(words[0]).args(&words[1..]).status();
    let status = status.with_context(|| format!("could not start `{line}`"))?;
    ensure!(status.success(), "`{line}` failed ({status})");
    Ok(())
}

fn is_root() -> Result<bool> {
    let output = Command::new("id").arg("-u").output().context("could not start `id -u`")?;
    Ok(output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty folder of this test's own.
    fn folder(name: &str) -> PathBuf {
        let dir = env::temp_dir().join(format!("knotwork-xtask-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[cfg(unix)]
    fn environment(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
    }

    #[test]
    fn drivers_are_the_manifests_of_every_place_in_order_and_once() {
        let dir = folder("drivers");
        let (first, second) = (dir.join("first"), dir.join("second"));
        fs::create_dir_all(&first).unwrap();
        fs::create_dir_all(second.join("folder.json")).unwrap();
        for file in [first.join("radeon_icd.json"), first.join("lvp_icd.json"), first.join("notes.txt")] {
            fs::write(file, "{}").unwrap();
        }
        let single = second.join("vk_swiftshader_icd.json");
        fs::write(&single, "{}").unwrap();
        let places =
            [dir.join("absent"), single.clone(), first.clone(), second.clone(), dir.join("absent.json")];
        let expected = vec![single, first.join("lvp_icd.json"), first.join("radeon_icd.json")];
        assert_eq!(find_drivers(&places), expected);
        assert_eq!(find_drivers(&[dir.join("absent")]), Vec::<PathBuf>::new());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_loader_is_a_file_in_one_of_the_folders() {
        let dir = folder("loader");
        let (empty, full) = (dir.join("empty"), dir.join("full"));
        fs::create_dir_all(&empty).unwrap();
        fs::create_dir_all(&full).unwrap();
        fs::write(full.join(LOADER), "").unwrap();
        assert_eq!(find_loader(&[empty.clone(), full.clone()]), Some(full.join(LOADER)));
        assert_eq!(find_loader(&[empty]), None);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn both_loader_and_driver_are_needed() {
        let (loader, drivers) = (Some(PathBuf::from(LOADER)), vec![PathBuf::from("lvp_icd.json")]);
        assert!(Vulkan { loader: loader.clone(), drivers: drivers.clone() }.complete());
        assert!(!Vulkan { loader: None, drivers }.complete());
        assert!(!Vulkan { loader, drivers: vec![] }.complete());
    }

    #[test]
    #[cfg(unix)]
    fn a_named_driver_hides_the_search_path() {
        let both = environment(&[("VK_DRIVER_FILES", "/a.json:/b"), ("VK_ICD_FILENAMES", "/c.json")]);
        assert_eq!(driver_places(&both), [PathBuf::from("/a.json"), PathBuf::from("/b")]);
        assert_eq!(
            driver_places(&environment(&[("VK_ICD_FILENAMES", "/c.json")])),
            [PathBuf::from("/c.json")]
        );
    }

    #[test]
    #[cfg(unix)]
    fn the_search_path_holds_the_users_and_the_systems_folders() {
        let places =
            driver_places(&environment(&[("HOME", "/home/ada"), ("VK_ADD_DRIVER_FILES", "/more.json")]));
        assert_eq!(places[0], PathBuf::from("/more.json"));
        for place in ["/home/ada/.local/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/share/vulkan/icd.d"] {
            assert!(places.contains(&PathBuf::from(place)), "{place} is not in {places:?}");
        }
    }

    #[test]
    fn software_drivers_are_told_by_their_manifest() {
        for (name, software) in
            [("lvp_icd.x86_64.json", true), ("vk_swiftshader_icd.json", true), ("nvidia_icd.json", false)]
        {
            assert_eq!(is_software(&Path::new("/usr/share/vulkan/icd.d").join(name)), software, "{name}");
        }
    }

    #[test]
    fn a_distribution_is_known_by_its_name_or_its_parents() {
        assert!(is_debian("PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n"));
        assert!(is_debian("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!is_debian("ID=fedora\n"));
        assert!(advice("ID=fedora\n").contains("dnf install"));
        assert!(advice("ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n").contains("zypper install"));
        assert!(advice("ID=manjaro\nID_LIKE=arch\n").contains("pacman -S"));
        let unknown = advice("");
        assert!(["dnf", "pacman", "zypper"].iter().all(|tool| unknown.contains(tool)), "{unknown}");
    }
}
