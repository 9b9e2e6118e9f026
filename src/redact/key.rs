//! The key of the pseudonyms, and the note in a store that says which one was used.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::Redactor;
use crate::error::{Error, Result};

/// Name of the note in a store's folder.
pub const MARKER: &str = ".redaction";

/// Shorter ones can be tried out.
const SHORTEST: usize = 16;

/// A secret. It is never shown.
#[derive(Clone)]
pub struct Key(Vec<u8>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// A key from text or bytes; white space around it does not count.
    ///
    /// # Errors
    /// [`Error::Usage`] when it is shorter than 16 bytes.
    pub fn new(bytes: &[u8]) -> Result<Key> {
        let bytes = bytes.trim_ascii();
        if bytes.len() < SHORTEST {
            return Err(Error::usage_hint(
                format!("a key for pseudonyms has {SHORTEST} bytes at the least"),
                "make one with: head -c 32 /dev/urandom | base64 > FILE",
            ));
        }
        Ok(Key(bytes.to_vec()))
    }

    /// The key in a file.
    ///
    /// # Errors
    /// [`Error::Io`]; as [`Key::new`].
    pub fn read(path: &Path) -> Result<Key> {
        Key::new(&fs::read(path).map_err(Error::io(path))?)
    }

    /// The key in a file, which is made with a random key, for its owner's eyes only, where it is
    /// absent. Tells whether it was made.
    ///
    /// # Errors
    /// As [`Key::read`].
    pub fn read_or_make(path: &Path) -> Result<(Key, bool)> {
        match Key::read(path) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            read => return read.map(|key| (key, false)),
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(Error::io(parent))?;
        }
        let random: [u8; 32] = rand::random();
        let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(Error::io(path))?;
        let written = file.write_all(format!("{text}\n").as_bytes()).and_then(|()| file.sync_all());
        written.map_err(Error::io(path))?;
        Ok((Key::new(text.as_bytes())?, true))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Where the key of a store is kept when none is given: beside its folder, not in it, so that the
/// folder can be handed on.
pub fn key_beside(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    while name.as_encoded_bytes().ends_with(b"/") {
        let text = name.to_string_lossy().trim_end_matches('/').to_owned();
        name = text.into();
    }
    name.push(".redact-key");
    PathBuf::from(name)
}

/// What to do with the note in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// It says what is wanted.
    Stays,
    /// It is to say this.
    Write(String),
    /// It is to go.
    Remove,
}

/// Refuses to mix: a store holds either logs as they are, or pseudonyms of one key. `note` is the
/// content of [`MARKER`]; `new` tells that nothing is in yet.
///
/// # Errors
/// [`Error::Usage`].
pub fn check_store(note: Option<&[u8]>, redactor: Option<&Redactor>, new: bool) -> Result<Note> {
    let known = note.map(|bytes| String::from_utf8_lossy(bytes.trim_ascii()).into_owned());
    let wanted = redactor.map(Redactor::fingerprint);
    if known == wanted {
        return Ok(Note::Stays);
    }
    if new {
        return Ok(wanted.map_or(Note::Remove, |text| Note::Write(format!("{text}\n"))));
    }
    let (what, hint) = match (known.is_some(), wanted.is_some()) {
        (true, true) => (
            "this store was redacted with another key; its pseudonyms would not fit",
            "give the key of the first ingest with --redact-key-file",
        ),
        (true, false) => (
            "this store is redacted; logs as they are would undo that",
            "add --redact, or use another store",
        ),
        _ => (
            "this store holds logs as they are; redacted ones would not link with them",
            "use another store for redacted logs",
        ),
    };
    Err(Error::usage_hint(what, hint))
}
