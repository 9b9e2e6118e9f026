//! Where files are written that must never be seen half: a file, a folder, or a place in S3.
//!
//! Everything is written under another name (or, in S3, as uploads that nobody sees) and shown by
//! [`Target::commit`], the last step. A target that is dropped before leaves nothing behind.

mod local;
mod remote;

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::sources::s3::{Prefix, SCHEME, Settings};

/// What is written to.
pub trait Target: Send {
    /// Begins a file; `name` is relative, with `/`, and means nothing to a target that is one file.
    /// The one begun before must be closed.
    ///
    /// # Errors
    /// [`Error::Io`], here and below.
    fn create(&mut self, name: &str) -> Result<Box<dyn Write + Send>>;

    /// The file begun last is whole; gives its size in bytes.
    ///
    /// # Errors
    /// As above.
    fn close(&mut self) -> Result<u64>;

    /// Shows all files.
    ///
    /// # Errors
    /// As above; [`Error::Usage`] when somebody else put something there meanwhile.
    fn commit(self: Box<Self>) -> Result<()>;
}

/// What a user names after `-o`.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Path, or `s3://BUCKET/KEY`.
    pub address: &'a str,
    /// Whether what is there already may be replaced.
    pub overwrite: bool,
    /// Settings for S3.
    pub s3: &'a Settings,
}

impl Asked<'_> {
    fn is_remote(&self) -> bool {
        self.address.starts_with(SCHEME)
    }

    /// Whether the address says by itself that it means a folder: it ends with `/`, or there is one.
    pub fn is_folder(&self) -> bool {
        self.address.ends_with('/') || (!self.is_remote() && Path::new(self.address).is_dir())
    }

    /// A target that is one file.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is something that may not be replaced; [`Error::Io`].
    pub fn file(&self) -> Result<Box<dyn Target>> {
        if self.is_remote() {
            let place = Prefix::connect(self.address, self.s3)?;
            if place.address("").ends_with('/') {
                return Err(Error::usage_hint(
                    format!("{} names no object", self.address),
                    "write s3://BUCKET/KEY",
                ));
            }
            if !self.overwrite && place.has("")? {
                return Err(exists(self.address));
            }
            return Ok(Box::new(remote::Remote::object(place)));
        }
        local::File::new(Path::new(self.address), self.overwrite).map(|t| Box::new(t) as _)
    }

    /// A target that is a folder of files. `ours` tells by its relative name whether a file is of the
    /// kind that may be replaced: a folder with anything else in it is left alone.
    ///
    /// # Errors
    /// As [`Asked::file`].
    pub fn folder(&self, ours: fn(&str) -> bool) -> Result<Box<dyn Target>> {
        if !self.is_remote() {
            let folder = local::Folder::new(Path::new(self.address), self.overwrite, ours)?;
            return Ok(Box::new(folder));
        }
        let place = Prefix::connect(self.address, self.s3)?;
        let most = if self.overwrite { usize::MAX } else { 1 };
        let there = place.names(most)?;
        if !there.is_empty() && !self.overwrite {
            return Err(exists(self.address));
        }
        if let Some(foreign) = there.iter().find(|name| !ours(name)) {
            return Err(foreign_file(self.address, foreign));
        }
        Ok(Box::new(remote::Remote::objects(place, there)))
    }
}

fn exists(address: &str) -> Error {
    Error::usage_hint(
        format!("{address} is there already"),
        "give --overwrite to replace it, or another name after -o",
    )
}

fn foreign_file(address: &str, name: &str) -> Error {
    Error::usage_hint(
        format!("{address} holds {name}, which no export wrote"),
        "--overwrite replaces whole folders, so it is refused here; name another folder",
    )
}

/// A writer that is lent out and stays known to its target.
struct Shared<W>(Arc<Mutex<W>>);

impl<W> Shared<W> {
    fn new(writer: W) -> Shared<W> {
        Shared(Arc::new(Mutex::new(writer)))
    }

    fn get(&self) -> MutexGuard<'_, W> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lend(&self) -> Shared<W> {
        Shared(self.0.clone())
    }
}

impl<W: Write> Write for Shared<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.get().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.get().flush()
    }
}
