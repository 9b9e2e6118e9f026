//! Small objects that several machines read and change, parts of objects, and what lies in a place.
//!
//! Nobody holds a lock: an object is made only where there is none, or replaced only while it is what
//! it was. S3 decides in one step who of two writers came first.

use std::io;
use std::ops::Range;

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use object_store::{
    GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
    UpdateVersion,
};

use super::Prefix;
use super::fetch::Refused;
use super::trouble::Doing;
use crate::error::{Error, Result};

/// Requests for parts of one object under way at once.
const RANGES_UNDER_WAY: usize = 8;

/// Objects up to this size are sent in one request, bytes.
const AT_ONCE_BYTES: u64 = 8 << 20;

/// An object that lies in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key behind that of the place, without a `/` before it.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: DateTime<Utc>,
}

/// The end of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// Bytes of the whole object.
    pub size: u64,
    /// Its last bytes.
    pub bytes: Vec<u8>,
}

impl Prefix {
    /// The content of an object, and its entity tag; `None` where there is no such object.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`] with what S3 says, as everywhere below.
    pub fn read(&self, name: &str) -> Result<Option<(Vec<u8>, Option<String>)>> {
        let (bucket, key) = (self.bucket.clone(), self.path(name)?);
        self.wait(name, async move {
            let got = match bucket.store.get(&key).await {
                Ok(got) => got,
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                Err(e) => return Err(bucket.refused_when(&e, Doing::Reading)),
            };
            let etag = got.meta.e_tag.clone();
            let bytes = got.bytes().await.map_err(|e| bucket.refused_when(&e, Doing::Reading))?;
            Ok(Some((bytes.into(), etag)))
        })
    }

    /// Puts a small object, whatever was there.
    ///
    /// # Errors
    /// As [`Prefix::read`].
    pub fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.put(name, bytes, PutMode::Overwrite).map(|_| ())
    }

    /// Puts a small object where there is none; tells whether it did.
    ///
    /// # Errors
    /// As [`Prefix::read`].
    pub fn create(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        self.put(name, bytes, PutMode::Create)
    }

    /// Replaces a small object that still has this entity tag; tells whether it did.
    ///
    /// # Errors
    /// As [`Prefix::read`].
    pub fn update(&self, name: &str, bytes: &[u8], etag: &str) -> Result<bool> {
        let version = UpdateVersion { e_tag: Some(etag.to_owned()), version: None };
        self.put(name, bytes, PutMode::Update(version))
    }

    fn put(&self, name: &str, bytes: &[u8], mode: PutMode) -> Result<bool> {
        let (bucket, key) = (self.bucket.clone(), self.path(name)?);
        let payload = PutPayload::from(bytes.to_vec());
        self.wait(name, async move {
            use object_store::Error::{AlreadyExists, NotModified, Precondition};
            match bucket.store.put_opts(&key, payload, PutOptions::from(mode)).await {
                Ok(_) => Ok(true),
                Err(AlreadyExists { .. } | Precondition { .. } | NotModified { .. }) => Ok(false),
                Err(e) => Err(bucket.refused_when(&e, Doing::Writing)),
            }
        })
    }

    /// Puts an object of `size` bytes, whatever was there; nobody sees it before all of it is there.
    ///
    /// # Errors
    /// As [`Prefix::read`]; those of reading `from`.
    pub fn send(&self, name: &str, mut from: impl io::Read, size: u64) -> Result<()> {
        if size <= AT_ONCE_BYTES {
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
            from.read_to_end(&mut bytes).map_err(Error::io(self.address(name)))?;
            return self.replace(name, &bytes);
        }
        let mut upload = self.begin(name)?;
        io::copy(&mut from, &mut upload).map_err(Error::io(self.address(name)))?;
        upload.complete()
    }

    /// The objects below a name; of the whole place for the empty one.
    ///
    /// # Errors
    /// As [`Prefix::read`].
    pub fn objects(&self, below: &str) -> Result<Vec<Listed>> {
        let (bucket, key, all) = (self.bucket.clone(), self.path(below)?, self.path("")?);
        self.wait(below, async move {
            let mut found = Vec::new();
            let mut listing = bucket.store.list(Some(&key));
            while let Some(object) = listing.next().await {
                let object = object.map_err(|e| bucket.refused_when(&e, Doing::Listing))?;
                let name = object.location.as_ref().strip_prefix(all.as_ref()).unwrap_or_default();
                let name = name.trim_start_matches('/').to_owned();
                found.push(Listed { name, size: object.size, modified: object.last_modified });
            }
            Ok(found)
        })
    }

    /// Names of what lies directly in the place: objects, and folders without their `/`.
    ///
    /// # Errors
    /// As [`Prefix::read`].
    pub fn top(&self) -> Result<Vec<String>> {
        let (bucket, all) = (self.bucket.clone(), self.path("")?);
        self.wait("", async move {
            let listed = bucket.store.list_with_delimiter(Some(&all)).await;
            let listed = listed.map_err(|e| bucket.refused_when(&e, Doing::Listing))?;
            let objects = listed.objects.into_iter().map(|object| object.location);
            let places = objects.chain(listed.common_prefixes);
            Ok(places.filter_map(|at| at.filename().map(str::to_owned)).collect())
        })
    }

    /// The last `most` bytes of an object; `None` where there is no such object.
    ///
    /// # Errors
    /// As [`Prefix::read`].
    pub fn tail(&self, name: &str, most: u64) -> Result<Option<Tail>> {
        let (bucket, key) = (self.bucket.clone(), self.path(name)?);
        self.wait(name, async move {
            let options =
                GetOptions { range: Some(GetRange::Suffix(most)), ..GetOptions::default() };
            let got = match bucket.store.get_opts(&key, options).await {
                Ok(got) => got,
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                Err(e) => {
                    // An empty object has no last bytes to ask for.
                    return match bucket.store.head(&key).await {
                        Ok(meta) if meta.size == 0 => Ok(Some(Tail { size: 0, bytes: Vec::new() })),
                        _ => Err(bucket.refused_when(&e, Doing::Reading)),
                    };
                }
            };
            let size = got.meta.size;
            let bytes = got.bytes().await.map_err(|e| bucket.refused_when(&e, Doing::Reading))?;
            Ok(Some(Tail { size, bytes: bytes.into() }))
        })
    }

    /// Some ranges of an object, each with where it begins.
    ///
    /// # Errors
    /// As [`Prefix::read`].
    pub fn ranges(&self, name: &str, ranges: Vec<Range<u64>>) -> Result<Vec<(u64, Vec<u8>)>> {
        let (bucket, key) = (self.bucket.clone(), self.path(name)?);
        self.wait(name, async move {
            let get = |range: Range<u64>| {
                let (bucket, key) = (bucket.clone(), key.clone());
                async move {
                    let (from, wanted) = (range.start, range.end - range.start);
                    let got = bucket.store.get_range(&key, range).await;
                    let bytes = got.map_err(|e| bucket.refused_when(&e, Doing::Reading))?;
                    if bytes.len() as u64 != wanted {
                        return Err(Refused::because(super::trouble::changed()));
                    }
                    Ok((from, bytes.into()))
                }
            };
            let gotten = futures::stream::iter(ranges).map(get).buffered(RANGES_UNDER_WAY);
            gotten.try_collect().await
        })
    }
}
