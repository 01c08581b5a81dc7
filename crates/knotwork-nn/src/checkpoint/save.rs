//! Replacing a file as a whole: the path holds the old content or the new one, never a part.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::CheckpointError;

/// Temporary files of killed saves older than this are removed by the next save.
const STALE: Duration = Duration::from_secs(600);

/// Writes `parts` to a temporary file in the same folder, flushes it to the disk, renames it to `path`, and flushes the
/// folder. On any failure the temporary file is removed and `path` is as it was.
pub(super) fn replace(path: &Path, parts: &[&[u8]]) -> Result<(), CheckpointError> {
    let failed = |what: &'static str| {
        move |source: io::Error| CheckpointError::Write { path: path.to_owned(), what, source }
    };
    let Some(name) = path.file_name().map(|n| n.to_string_lossy().into_owned()) else {
        return Err(failed("the path names no file")(io::ErrorKind::InvalidInput.into()));
    };
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p.to_owned(),
        _ => PathBuf::from("."),
    };
    let prefix = format!(".{name}.");
    sweep(&folder, &prefix);
    let mut file = tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(".tmp")
        .tempfile_in(&folder)
        .map_err(failed("making a temporary file beside it"))?;
    keep_mode(path, file.as_file());
    for part in parts {
        file.write_all(part).map_err(failed("writing a temporary file beside it"))?;
    }
    file.as_file().sync_all().map_err(failed("flushing it to the disk"))?;
    file.persist(path).map_err(|e| failed("renaming the temporary file")(e.error))?;
    // The rename itself is durable once the folder is; not every file system can flush a folder.
    #[cfg(unix)]
    if let Ok(folder) = File::open(&folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Temporary files are private to their maker; a checkpoint has the mode of the one that it replaces, or the usual one.
fn keep_mode(path: &Path, file: &File) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_or(0o644, |m| m.permissions().mode());
        let _ = file.set_permissions(fs::Permissions::from_mode(mode & 0o777));
    }
    #[cfg(not(unix))]
    let _ = (path, file);
}

/// Removes what killed saves of this file have left, where it is too old to be a save under way.
fn sweep(folder: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|n| n.starts_with(prefix) && n.ends_with(".tmp")) else {
            continue;
        };
        let age = entry
            .metadata()
            .and_then(|m| m.modified())
            .ok()
            .and_then(|t| SystemTime::now().duration_since(t).ok());
        if age.is_some_and(|age| age > STALE) {
            tracing::info!(name, "removing a temporary file of an interrupted save");
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_new_content_takes_the_place_of_the_old() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        replace(&path, &[b"one"]).unwrap();
        replace(&path, &[b"tw", b"o"]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[test]
    fn old_remains_are_swept_and_young_ones_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        for (name, age) in [(".a.bin.old.tmp", 3600), (".a.bin.new.tmp", 0), (".b.bin.old.tmp", 3600)] {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        replace(&path, &[b"x"]).unwrap();
        assert_eq!(names(folder.path()), [".a.bin.new.tmp", ".b.bin.old.tmp", "a.bin"]);
    }

    #[test]
    fn a_failed_rename_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("x"), b"").unwrap();
        let e = replace(&path, &[b"x"]).unwrap_err();
        assert!(matches!(e, CheckpointError::Write { what: "renaming the temporary file", .. }), "{e}");
        assert_eq!(names(folder.path()), ["taken"]);
        let e = replace(&folder.path().join("no/such"), &[b"x"]).unwrap_err();
        assert!(e.to_string().contains("no/such: it was not saved"), "{e}");
    }
}
