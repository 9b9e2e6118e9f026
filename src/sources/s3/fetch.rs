//! The content of objects: small ones in one request, large ones part by part, the next part fetched
//! while one is read. Every request is short, so a slow reader never keeps a connection waiting.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::trouble::{self, Doing, changed};
use super::{Bucket, Pending, odd_keys};
use crate::sources::open::{Object, Version};

/// Bytes that one request asks for at the most.
pub(in crate::sources) const PART_BYTES: u64 = 4 << 20;

/// S3 did not give what was asked for; the text says why and what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

impl Refused {
    /// With what is to be said.
    pub(super) fn because(text: String) -> Refused {
        Refused(text)
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> io::Error {
        io::Error::other(refused)
    }
}

/// An object whose first part is on its way.
pub(in crate::sources) struct Fetching {
    bucket: Arc<Bucket>,
    key: Path,
    first: Pending<Result<(ObjectMeta, Vec<u8>), Refused>>,
}

impl Bucket {
    /// Asks for an object that had `size` bytes when it was listed.
    pub(in crate::sources) fn fetch(self: &Arc<Bucket>, address: &str, size: u64) -> Fetching {
        let prefix = self.address("");
        let key = address.strip_prefix(&prefix).unwrap_or(address);
        let key = odd_keys::object(key).unwrap_or_default();
        let (bucket, at) = (self.clone(), key.clone());
        let first = async move {
            let range = (size > PART_BYTES).then_some(0..PART_BYTES);
            let whole = bucket.get_first(&at, range).await;
            whole.map_err(|e| bucket.refused(&e))?
        };
        Fetching { bucket: self.clone(), key, first: Pending::start(first) }
    }

    fn refused(&self, error: &object_store::Error) -> Refused {
        Refused(trouble::explain(error, Doing::Reading, &self.endpoint))
    }

    /// The first part, or all. An object that has grown much since it was listed is asked for again,
    /// in parts.
    async fn get_first(
        &self,
        key: &Path,
        range: Option<std::ops::Range<u64>>,
    ) -> object_store::Result<Result<(ObjectMeta, Vec<u8>), Refused>> {
        let mut range = range;
        loop {
            let options =
                GetOptions { range: range.clone().map(GetRange::Bounded), ..GetOptions::default() };
            let got = self.store.get_opts(key, options).await?;
            let meta = got.meta.clone();
            if range.is_none() && meta.size > 2 * PART_BYTES {
                range = Some(0..PART_BYTES);
                continue;
            }
            let expected = got.range.end.saturating_sub(got.range.start);
            let bytes = got.bytes().await?;
            return Ok(match bytes.len() as u64 == expected {
                true => Ok((meta, bytes.into())),
                false => Err(Refused("S3 sent less than it announced; ingest again".to_owned())),
            });
        }
    }

    async fn get_part(
        &self,
        key: &Path,
        etag: Option<String>,
        range: std::ops::Range<u64>,
    ) -> Result<Vec<u8>, Refused> {
        let wanted = range.end - range.start;
        let range = Some(GetRange::Bounded(range));
        let options = GetOptions { range, if_match: etag, ..GetOptions::default() };
        let got = self.store.get_opts(key, options).await.map_err(|e| self.refused(&e))?;
        let bytes = got.bytes().await.map_err(|e| self.refused(&e))?;
        if bytes.len() as u64 == wanted { Ok(bytes.into()) } else { Err(Refused(changed())) }
    }

    /// Whether an object of this key is there, and what is known of it.
    pub(super) async fn head(&self, key: &Path) -> object_store::Result<ObjectMeta> {
        self.store.head(key).await
    }
}

impl Fetching {
    /// Waits for the first part.
    ///
    /// # Errors
    /// [`Refused`], inside.
    pub(in crate::sources) fn open(self) -> io::Result<Body> {
        let first = self.first.wait().unwrap_or_else(|| Err(lost()));
        let (meta, part) = first?;
        let mut body = Body {
            bucket: self.bucket,
            key: self.key,
            version: version(&meta),
            etag: meta.e_tag,
            size: meta.size,
            asked: part.len() as u64,
            part: Cursor::new(part),
            next: None,
            failed: None,
        };
        body.ask_for_next();
        Ok(body)
    }
}

pub(super) fn lost() -> Refused {
    Refused("the threads that talk to S3 could not be started".to_owned())
}

/// What a listing or an answer says of an object.
pub(super) fn version(meta: &ObjectMeta) -> Version {
    let etag = meta.e_tag.as_deref().map(|etag| etag.trim_matches('"').to_owned());
    let modified = Some(meta.last_modified.timestamp_micros());
    Version { etag, version_id: meta.version.clone(), modified }
}

/// An object as a stream of its bytes as stored.
pub struct Body {
    bucket: Arc<Bucket>,
    key: Path,
    version: Version,
    /// As the server writes it, quotes included.
    etag: Option<String>,
    size: u64,
    /// Bytes from the beginning that were asked for so far.
    asked: u64,
    part: Cursor<Vec<u8>>,
    next: Option<Pending<Result<Vec<u8>, Refused>>>,
    /// Once something is missing, all that follows is.
    failed: Option<Refused>,
}

impl Body {
    fn ask_for_next(&mut self) {
        if self.asked >= self.size {
            return;
        }
        let range = self.asked..self.size.min(self.asked + PART_BYTES);
        self.asked = range.end;
        let (bucket, key, etag) = (self.bucket.clone(), self.key.clone(), self.etag.clone());
        let work = async move { bucket.get_part(&key, etag, range).await };
        self.next = Some(Pending::start(work));
    }
}

impl Object for Body {
    fn version(&self) -> Version {
        self.version.clone()
    }
}

impl Read for Body {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Some(refused) = &self.failed {
            return Err(refused.clone().into());
        }
        let n = self.part.read(out)?;
        if n > 0 || out.is_empty() {
            return Ok(n);
        }
        if let Some(next) = self.next.take() {
            match next.wait().unwrap_or_else(|| Err(lost())) {
                Ok(part) => self.part = Cursor::new(part),
                Err(refused) => {
                    self.failed = Some(refused.clone());
                    return Err(refused.into());
                }
            }
            self.ask_for_next();
        }
        self.part.read(out)
    }
}
