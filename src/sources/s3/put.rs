//! Writing objects: in parts as the bytes come, and to be seen by nobody before all of them are there.
//!
//! S3 shows an object only when its upload is completed, so several uploads that are completed one
//! after the other at the end are as near to all or nothing as S3 gets.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

use futures::StreamExt;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};

use super::fetch::Refused;
use super::list::split;
use super::trouble::{self, Doing};
use super::{Bucket, Pending, Settings};
use crate::error::{Error, Result};

/// Bytes of a part. S3 takes at most [`MOST_PARTS`] of them.
const PART_BYTES: usize = 16 << 20;
const MOST_PARTS: usize = 10_000;
/// Parts on their way at once, beside the one that is being filled.
const PARTS_UNDER_WAY: usize = 2;

/// A place in a bucket that objects are written to.
#[derive(Debug, Clone)]
pub struct Prefix {
    pub(super) bucket: Arc<Bucket>,
    key: String,
}

impl Prefix {
    /// Takes `s3://BUCKET/KEY`; nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::Usage`] for an address or settings that cannot be used.
    pub fn connect(address: &str, settings: &Settings) -> Result<Prefix> {
        let (name, key) = split(address)?;
        let bucket = Bucket::connect(name, settings)?;
        Ok(Prefix { bucket, key: key.trim_matches('/').to_owned() })
    }

    /// The address of an object below it; of the place itself for the empty name.
    pub fn address(&self, name: &str) -> String {
        self.bucket.address(&self.join(name))
    }

    fn join(&self, name: &str) -> String {
        match (self.key.is_empty(), name.is_empty()) {
            (true, _) => name.to_owned(),
            (_, true) => self.key.clone(),
            _ => format!("{}/{name}", self.key),
        }
    }

    pub(super) fn path(&self, name: &str) -> Result<Path> {
        let key = self.join(name);
        Path::parse(&key).map_err(|_| {
            let text = format!("{} cannot be an object's key", self.bucket.address(&key));
            Error::usage_hint(text, "leave out empty parts (//), . and ..")
        })
    }

    fn failed(&self, name: &str, refused: Refused) -> Error {
        Error::io(self.address(name))(refused.into())
    }

    pub(super) fn wait<T: Send + 'static>(
        &self,
        name: &str,
        work: impl Future<Output = Result<T, Refused>> + Send + 'static,
    ) -> Result<T> {
        let done = Pending::start(work).wait().unwrap_or_else(|| Err(super::fetch::lost()));
        done.map_err(|refused| self.failed(name, refused))
    }

    /// Whether there is an object of exactly this name.
    ///
    /// # Errors
    /// [`Error::Io`] with what S3 says.
    pub fn has(&self, name: &str) -> Result<bool> {
        let (bucket, key) = (self.bucket.clone(), self.path(name)?);
        self.wait(name, async move {
            match bucket.head(&key).await {
                Ok(_) => Ok(true),
                Err(object_store::Error::NotFound { .. }) => Ok(false),
                Err(e) => Err(bucket.refused_when(&e, Doing::Reading)),
            }
        })
    }

    /// Names of the objects below it, at most `most`.
    ///
    /// # Errors
    /// [`Error::Io`] with what S3 says.
    pub fn names(&self, most: usize) -> Result<Vec<String>> {
        let (bucket, key) = (self.bucket.clone(), self.path("")?);
        self.wait("", async move {
            let mut names = Vec::new();
            let mut listing = bucket.store.list(Some(&key));
            while let Some(found) = listing.next().await {
                let found = found.map_err(|e| bucket.refused_when(&e, Doing::Listing))?;
                let name = found.location.as_ref().strip_prefix(key.as_ref());
                let name = name.unwrap_or_default().trim_start_matches('/');
                names.push(name.to_owned());
                if names.len() == most {
                    break;
                }
            }
            Ok(names)
        })
    }

    /// Removes an object.
    ///
    /// # Errors
    /// [`Error::Io`] with what S3 says.
    pub fn remove(&self, name: &str) -> Result<()> {
        let (bucket, key) = (self.bucket.clone(), self.path(name)?);
        self.wait(name, async move {
            let removed = bucket.store.delete(&key).await;
            removed.map_err(|e| bucket.refused_when(&e, Doing::Writing))
        })
    }

    /// Begins an object; nobody sees it before [`Upload::complete`].
    ///
    /// # Errors
    /// [`Error::Io`] with what S3 says.
    pub fn begin(&self, name: &str) -> Result<Upload> {
        let (bucket, key) = (self.bucket.clone(), self.path(name)?);
        let upload = self.wait(name, async move {
            let begun = bucket.store.put_multipart(&key).await;
            begun.map_err(|e| bucket.refused_when(&e, Doing::Writing))
        })?;
        Ok(Upload {
            place: self.clone(),
            name: name.to_owned(),
            upload: Some(upload),
            part: Vec::new(),
            parts: 0,
            under_way: VecDeque::new(),
            bytes: 0,
        })
    }
}

/// An object that is being written. Dropped before it is complete, it leaves nothing behind.
pub struct Upload {
    place: Prefix,
    name: String,
    upload: Option<Box<dyn MultipartUpload>>,
    part: Vec<u8>,
    parts: usize,
    under_way: VecDeque<Pending<Result<(), Refused>>>,
    bytes: u64,
}

impl Upload {
    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The name it was begun with.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn send_part(&mut self) -> Result<(), Refused> {
        while self.under_way.len() >= PARTS_UNDER_WAY {
            self.wait_for_one()?;
        }
        if self.parts == MOST_PARTS {
            let most = MOST_PARTS * PART_BYTES / 1_000_000_000;
            return Err(Refused::because(format!(
                "an object may have {most} GB at most; write smaller files (--max-file-size)"
            )));
        }
        let Some(upload) = &mut self.upload else { return Err(super::fetch::lost()) };
        let payload = PutPayload::from(std::mem::take(&mut self.part));
        self.parts += 1;
        let (sent, bucket) = (upload.put_part(payload), self.place.bucket.clone());
        self.under_way.push_back(Pending::start(async move {
            sent.await.map_err(|e| bucket.refused_when(&e, Doing::Writing))
        }));
        Ok(())
    }

    fn wait_for_one(&mut self) -> Result<(), Refused> {
        let Some(first) = self.under_way.pop_front() else { return Ok(()) };
        first.wait().unwrap_or_else(|| Err(super::fetch::lost()))
    }

    /// Sends what is left; the object could be completed from now on.
    ///
    /// # Errors
    /// [`Error::Io`] with what S3 says.
    pub fn finish(&mut self) -> Result<()> {
        let mut all = || {
            // An object has at least one part, be it empty.
            if !self.part.is_empty() || self.parts == 0 {
                self.send_part()?;
            }
            while !self.under_way.is_empty() {
                self.wait_for_one()?;
            }
            Ok(())
        };
        all().map_err(|refused| self.place.failed(&self.name, refused))
    }

    /// Shows the object.
    ///
    /// # Errors
    /// [`Error::Io`] with what S3 says.
    pub fn complete(&mut self) -> Result<()> {
        self.finish()?;
        let Some(mut upload) = self.upload.take() else { return Ok(()) };
        let bucket = self.place.bucket.clone();
        self.place.wait(&self.name, async move {
            match upload.complete().await {
                Ok(_) => Ok(()),
                Err(e) => {
                    // What cannot be completed is of no use; that it stays is not the news.
                    let _ = upload.abort().await;
                    Err(bucket.refused_when(&e, Doing::Writing))
                }
            }
        })
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.part.capacity() == 0 {
            self.part.reserve_exact(PART_BYTES.min(bytes.len().max(64 << 10)));
        }
        let taken = bytes.len().min(PART_BYTES - self.part.len());
        self.part.extend_from_slice(&bytes[..taken]);
        self.bytes += taken as u64;
        if self.part.len() == PART_BYTES {
            self.send_part()?;
        }
        Ok(taken)
    }

    /// Parts are sent when they are full: S3 takes no small ones but the last.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut upload) = self.upload.take() else { return };
        for part in self.under_way.drain(..) {
            let _ = part.wait();
        }
        let _ = Pending::start(async move { upload.abort().await }).wait();
    }
}

impl Bucket {
    pub(super) fn refused_when(&self, error: &object_store::Error, doing: Doing) -> Refused {
        Refused::because(trouble::explain(error, doing, &self.endpoint))
    }
}
