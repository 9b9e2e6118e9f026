//! Where a store is: a folder, or a place in a bucket. The one layer that knows both.
//!
//! A folder has one writer, who holds its lock. A bucket has no locks: what decides who came first is
//! that an object is made only where there is none.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use deltalake_core::DeltaTableBuilder;
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use object_store::ObjectStore;
use object_store::prefix::PrefixStore;
use url::Url;

use crate::error::{Error, Result};
use crate::sources::s3::{Prefix, SCHEME, Settings};

/// Where a store is.
#[derive(Debug, Clone)]
pub enum Location {
    /// A folder.
    Folder(PathBuf),
    /// A place in a bucket.
    Bucket(Prefix),
}

impl<P: AsRef<Path>> From<P> for Location {
    fn from(folder: P) -> Location {
        Location::Folder(folder.as_ref().to_path_buf())
    }
}

/// A file of a table, whether the table names it or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Present {
    /// Path inside the table's folder, with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: SystemTime,
}

impl Location {
    /// What a user names: a folder, or `s3://BUCKET/PREFIX`, which is asked as `s3` says. Nothing is
    /// asked yet.
    ///
    /// # Errors
    /// [`Error::Usage`] for an address or settings that cannot be used.
    pub fn of(named: &Path, s3: &Settings) -> Result<Location> {
        match named.to_str().filter(|address| address.starts_with(SCHEME)) {
            Some(address) => Ok(Location::Bucket(Prefix::connect(address, s3)?)),
            None => Ok(Location::Folder(named.to_path_buf())),
        }
    }

    /// The folder, or the address, for people.
    pub fn path(&self) -> PathBuf {
        self.join("")
    }

    /// The path, or the address, of something in it.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        match self {
            Location::Folder(folder) if name.is_empty() => folder.clone(),
            Location::Folder(folder) => folder.join(name),
            Location::Bucket(place) => place.address(name).into(),
        }
    }

    /// The name that a path made by [`Location::join`] has in it.
    pub(super) fn name_of(&self, path: &Path) -> String {
        let inside = path.strip_prefix(self.path()).unwrap_or(path);
        inside.to_string_lossy().trim_start_matches('/').to_owned()
    }

    /// The content of a small file; `None` where there is none.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let folder = match self {
            Location::Folder(folder) => folder,
            Location::Bucket(place) => return Ok(place.read(name)?.map(|(bytes, _)| bytes)),
        };
        let path = folder.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(e) => Err(Error::io(&path)(e)),
        }
    }

    /// Atomically gives a small file this content, durably.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let folder = match self {
            Location::Folder(folder) => folder,
            Location::Bucket(place) => return place.replace(name, bytes),
        };
        let path = folder.join(name);
        let inside = path.parent().unwrap_or(folder);
        // Only the holder of a lock writes here, so one fixed name will do; what a killed writer left
        // under it is overwritten.
        let temp = folder.join(format!("{name}.tmp"));
        let mut file = File::create(&temp).map_err(Error::io(&temp))?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.map_err(Error::io(&temp))?;
        drop(file);
        fs::rename(&temp, &path).map_err(Error::io(&path))?;
        sync_dir(inside)
    }

    /// Removes a file.
    pub fn remove(&self, name: &str) -> Result<()> {
        match self {
            Location::Folder(folder) => {
                let path = folder.join(name);
                fs::remove_file(&path).map_err(Error::io(&path))
            }
            Location::Bucket(place) => place.remove(name),
        }
    }

    /// Names of the files directly in a folder of it; none where there is no such folder.
    pub(super) fn names(&self, inside: &str) -> Result<Vec<String>> {
        let folder = match self {
            Location::Folder(folder) => folder.join(inside),
            Location::Bucket(place) => {
                let all = place.objects(inside)?.into_iter();
                let names = all.filter_map(|object| {
                    let name = object.name.strip_prefix(inside)?.trim_start_matches('/');
                    (!name.contains('/')).then(|| name.to_owned())
                });
                return Ok(names.collect());
            }
        };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::io(&folder)(e)),
        };
        let name = |entry: std::io::Result<fs::DirEntry>| {
            let entry = entry.map_err(Error::io(&folder))?;
            Ok(entry.file_name().to_string_lossy().into_owned())
        };
        entries.map(name).collect()
    }

    /// Names of what lies directly in it, files and folders.
    pub(super) fn top(&self) -> Result<Vec<String>> {
        let Location::Bucket(place) = self else { return self.names("") };
        place.top()
    }

    /// All data files of a table, in the order of their paths.
    pub(super) fn data_files(&self, table: &str) -> Result<Vec<Present>> {
        let ours = |path: &str| {
            let name = path.rsplit('/').next().unwrap_or_default();
            !path.starts_with("_delta_log/")
                && name.starts_with("part-")
                && name.ends_with(".parquet")
        };
        let mut found = match self {
            Location::Folder(folder) => below(&folder.join(table))?,
            Location::Bucket(place) => {
                let all = place.objects(table)?.into_iter();
                all.filter_map(|object| {
                    let path = object.name.strip_prefix(table)?.strip_prefix('/')?.to_owned();
                    Some(Present { path, size: object.size, modified: object.modified.into() })
                })
                .collect()
            }
        };
        found.retain(|file| ours(&file.path));
        found.sort();
        Ok(found)
    }

    /// Makes the entries of a folder durable, where there are folders.
    pub(super) fn sync(&self, inside: &str) -> Result<()> {
        match self {
            Location::Folder(folder) => sync_dir(&folder.join(inside)),
            Location::Bucket(_) => Ok(()),
        }
    }

    /// What reads and writes the log of a table.
    pub(super) fn log_store(&self, table: &str) -> Result<LogStoreRef> {
        let place = match self {
            Location::Folder(folder) => {
                let folder = folder.join(table);
                let url = Url::from_directory_path(&folder);
                let url = url.map_err(|()| no_address(&folder))?;
                return Ok(DeltaTableBuilder::from_url(url)?.build_storage()?);
            }
            Location::Bucket(place) => place,
        };
        let (_, root) = place.whole_bucket();
        let inside = Arc::new(PrefixStore::new(root.clone(), place.key(table)?));
        let address = self.join(table);
        let url =
            Url::parse(&format!("{}/", address.display())).map_err(|_| no_address(&address))?;
        Ok(default_logstore(inside, root, &url, &StorageConfig::default()))
    }

    /// The bucket that the engine reads data files from, with its address; `None` for a folder.
    pub fn bucket(&self) -> Result<Option<(Url, Arc<dyn ObjectStore>)>> {
        let Location::Bucket(place) = self else { return Ok(None) };
        let (address, store) = place.whole_bucket();
        let url = Url::parse(&address).map_err(|_| no_address(Path::new(&address)))?;
        Ok(Some((url, store)))
    }
}

fn no_address(path: &Path) -> Error {
    Error::Store {
        path: path.to_path_buf(),
        message: "the path cannot be written as an address".to_owned(),
    }
}

fn below(table: &Path) -> Result<Vec<Present>> {
    let mut found = Vec::new();
    let entries = walkdir::WalkDir::new(table)
        .into_iter()
        .filter_entry(|entry| entry.depth() != 1 || entry.file_name() != "_delta_log");
    for entry in entries {
        let entry = entry.map_err(|e| Error::io(table)(e.into()))?;
        if !entry.file_type().is_file() {
            continue;
        }
        let metadata = entry.metadata().map_err(|e| Error::io(table)(e.into()))?;
        let modified = metadata.modified().map_err(Error::io(entry.path()))?;
        let Ok(inside) = entry.path().strip_prefix(table) else { continue };
        let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
        found.push(Present { path: parts.join("/"), size: metadata.len(), modified });
    }
    Ok(found)
}

/// Makes the entries of a folder durable, where the system can.
pub(super) fn sync_dir(dir: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(dir).and_then(|d| d.sync_all()).map_err(Error::io(dir))?;
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}
