//! A bucket as engines take it, whose errors say what S3 refused and what to do, and no more: answers
//! of S3 may repeat secrets, and engines show them whole.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::trouble::{self, Doing};
use super::{Bucket, Prefix, SCHEME};

impl Prefix {
    /// The whole bucket, with its address.
    pub fn whole_bucket(&self) -> (String, Arc<dyn ObjectStore>) {
        let bucket = self.bucket.clone();
        (format!("{SCHEME}{}/", bucket.name), Arc::new(Told(bucket)))
    }

    /// The key of an object below this place.
    ///
    /// # Errors
    /// [`crate::error::Error::Usage`] for a name that cannot be a key.
    pub fn key(&self, name: &str) -> crate::error::Result<Path> {
        self.path(name)
    }
}

#[derive(Debug)]
struct Told(Arc<Bucket>);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.0.name)
    }
}

/// What callers branch on stays; the rest is told in our words.
fn told(bucket: &Bucket, error: Error, doing: Doing) -> Error {
    let source = trouble::explain(&error, doing, &bucket.endpoint).into();
    match error {
        Error::NotFound { path, .. } => Error::NotFound { path, source },
        Error::AlreadyExists { path, .. } => Error::AlreadyExists { path, source },
        Error::Precondition { path, .. } => Error::Precondition { path, source },
        Error::NotModified { path, .. } => Error::NotModified { path, source },
        Error::PermissionDenied { path, .. } => Error::PermissionDenied { path, source },
        Error::Unauthenticated { path, .. } => Error::Unauthenticated { path, source },
        _ => Error::Generic { store: "S3", source },
    }
}

#[async_trait]
impl ObjectStore for Told {
    async fn put_opts(&self, at: &Path, what: PutPayload, how: PutOptions) -> Result<PutResult> {
        let done = self.0.store.put_opts(at, what, how).await;
        done.map_err(|e| told(&self.0, e, Doing::Writing))
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let done = self.0.store.put_multipart_opts(at, how).await;
        done.map_err(|e| told(&self.0, e, Doing::Writing))
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        let done = self.0.store.get_opts(at, how).await;
        done.map_err(|e| told(&self.0, e, Doing::Reading))
    }

    fn delete_stream(
        &self,
        those: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let bucket = self.0.clone();
        let done = self.0.store.delete_stream(those);
        done.map(move |one| one.map_err(|e| told(&bucket, e, Doing::Writing))).boxed()
    }

    fn list(&self, below: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let bucket = self.0.clone();
        let found = self.0.store.list(below);
        found.map(move |one| one.map_err(|e| told(&bucket, e, Doing::Listing))).boxed()
    }

    fn list_with_offset(
        &self,
        below: Option<&Path>,
        after: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let bucket = self.0.clone();
        let found = self.0.store.list_with_offset(below, after);
        found.map(move |one| one.map_err(|e| told(&bucket, e, Doing::Listing))).boxed()
    }

    async fn list_with_delimiter(&self, below: Option<&Path>) -> Result<ListResult> {
        let done = self.0.store.list_with_delimiter(below).await;
        done.map_err(|e| told(&self.0, e, Doing::Listing))
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        let done = self.0.store.copy_opts(from, to, how).await;
        done.map_err(|e| told(&self.0, e, Doing::Writing))
    }
}
