//! Files and folders on this machine, shown by one rename.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use super::{Target, exists, foreign_file};
use crate::error::{Error, Result};

/// One file.
pub(super) struct File {
    temporary: NamedTempFile,
    path: PathBuf,
    overwrite: bool,
}

/// The folder that a path lies in, and its last part as the beginning of a temporary name.
fn beside(path: &Path) -> Result<(PathBuf, String)> {
    let name = path.file_name().ok_or_else(|| {
        let text = format!("{} is no name of a file or folder", path.display());
        Error::usage_hint(text, "give a name that ends with the file or folder to be made")
    })?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&parent).map_err(Error::io(&parent))?;
    // A long name with more behind it might be too long.
    let start: String = name.to_string_lossy().chars().take(40).collect();
    Ok((parent, format!(".{start}.")))
}

#[cfg(unix)]
fn permissions(mode: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

/// What the user's mask allows, as for any other file: temporary ones are private otherwise.
fn builder(prefix: &str, mode: u32) -> tempfile::Builder<'_, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(".part");
    #[cfg(unix)]
    builder.permissions(permissions(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

/// Makes the names in a folder durable, where the system can.
fn sync_folder(folder: &Path) {
    // Some file systems cannot; the data itself is synced.
    let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
}

impl File {
    pub(super) fn new(path: &Path, overwrite: bool) -> Result<File> {
        if path.is_dir() {
            let text = format!("{} is a folder", path.display());
            return Err(Error::usage_hint(text, "end it with / to write into a folder"));
        }
        if !overwrite && path.symlink_metadata().is_ok() {
            return Err(exists(&path.to_string_lossy()));
        }
        let (parent, prefix) = beside(path)?;
        let temporary = builder(&prefix, 0o666).tempfile_in(&parent).map_err(Error::io(&parent))?;
        Ok(File { temporary, path: path.to_path_buf(), overwrite })
    }
}

impl Target for File {
    fn create(&mut self, _name: &str) -> Result<Box<dyn Write + Send>> {
        let file = self.temporary.as_file().try_clone().map_err(Error::io(&self.path))?;
        Ok(Box::new(file))
    }

    fn close(&mut self) -> Result<u64> {
        let file = self.temporary.as_file();
        file.sync_all().map_err(Error::io(&self.path))?;
        Ok(file.metadata().map_err(Error::io(&self.path))?.len())
    }

    fn commit(self: Box<Self>) -> Result<()> {
        let File { temporary, path, overwrite } = *self;
        let shown =
            if overwrite { temporary.persist(&path) } else { temporary.persist_noclobber(&path) };
        shown.map_err(|e| match e.error.kind() {
            ErrorKind::AlreadyExists => exists(&path.to_string_lossy()),
            _ => Error::io(&path)(e.error),
        })?;
        if let Ok((parent, _)) = beside(&path) {
            sync_folder(&parent);
        }
        Ok(())
    }
}

/// A folder of files.
pub(super) struct Folder {
    temporary: TempDir,
    path: PathBuf,
    overwrite: bool,
    ours: fn(&str) -> bool,
    current: Option<(PathBuf, fs::File)>,
}

/// The first file below a folder that is not ours; `None` also where there is no such folder.
fn foreign(folder: &Path, ours: fn(&str) -> bool) -> Result<Option<String>> {
    for entry in walkdir::WalkDir::new(folder).min_depth(1) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) if e.io_error().is_some_and(|e| e.kind() == ErrorKind::NotFound) => continue,
            Err(e) => return Err(Error::io(folder)(e.into())),
        };
        let name = entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_string_lossy();
        let kind = entry.file_type();
        if !(kind.is_dir() || kind.is_file() && ours(&name)) {
            return Ok(Some(name.into_owned()));
        }
    }
    Ok(None)
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

impl Folder {
    pub(super) fn new(path: &Path, overwrite: bool, ours: fn(&str) -> bool) -> Result<Folder> {
        let there = path.symlink_metadata().is_ok();
        if there && !path.is_dir() {
            let text = format!("{} is a file, and a folder is needed", path.display());
            return Err(Error::usage_hint(text, "name a folder after -o"));
        }
        if there && !is_empty(path) && !overwrite {
            return Err(exists(&path.to_string_lossy()));
        }
        if let Some(name) = foreign(path, ours)? {
            return Err(foreign_file(&path.to_string_lossy(), &name));
        }
        // A link stays a link: what it points to is replaced.
        let path = if there {
            fs::canonicalize(path).map_err(Error::io(path))?
        } else {
            path.to_path_buf()
        };
        let (parent, prefix) = beside(&path)?;
        let temporary = builder(&prefix, 0o777).tempdir_in(&parent).map_err(Error::io(&parent))?;
        Ok(Folder { temporary, path, overwrite, ours, current: None })
    }

    fn replace(&self, new: &Path) -> Result<()> {
        let (parent, prefix) = beside(&self.path)?;
        let away = builder(&prefix, 0o700).tempdir_in(&parent).map_err(Error::io(&parent))?;
        let old = away.path().join("old");
        fs::rename(&self.path, &old).map_err(Error::io(&self.path))?;
        if let Err(e) = fs::rename(new, &self.path) {
            // Back to how it was.
            let _ = fs::rename(&old, &self.path);
            return Err(Error::io(&self.path)(e));
        }
        Ok(())
    }
}

impl Target for Folder {
    fn create(&mut self, name: &str) -> Result<Box<dyn Write + Send>> {
        let path = self.temporary.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(Error::io(parent))?;
        }
        let file = fs::File::create_new(&path).map_err(Error::io(&path))?;
        let lent = file.try_clone().map_err(Error::io(&path))?;
        self.current = Some((path, file));
        Ok(Box::new(lent))
    }

    fn close(&mut self) -> Result<u64> {
        let Some((path, file)) = self.current.take() else { return Ok(0) };
        file.sync_all().map_err(Error::io(&path))?;
        Ok(file.metadata().map_err(Error::io(&path))?.len())
    }

    fn commit(self: Box<Self>) -> Result<()> {
        sync_folder(self.temporary.path());
        // Once more: an export may take long.
        if self.path.is_dir() && !is_empty(&self.path) {
            if !self.overwrite {
                return Err(exists(&self.path.to_string_lossy()));
            }
            if let Some(name) = foreign(&self.path, self.ours)? {
                return Err(foreign_file(&self.path.to_string_lossy(), &name));
            }
            self.replace(self.temporary.path())?;
        } else {
            // An empty folder gives way.
            let _ = fs::remove_dir(&self.path);
            fs::rename(self.temporary.path(), &self.path).map_err(Error::io(&self.path))?;
        }
        if let Ok((parent, _)) = beside(&self.path) {
            sync_folder(&parent);
        }
        // There is no temporary folder any more.
        let _ = self.temporary.keep();
        Ok(())
    }
}
