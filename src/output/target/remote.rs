//! Objects in S3: all are uploaded first, then completed one after the other.

use std::io::Write;

use super::{Shared, Target};
use crate::error::{Error, Result};
use crate::sources::s3::{Prefix, Upload};

/// One object, or those below a prefix.
pub(super) struct Remote {
    place: Prefix,
    /// Whether it is one object, of the place's own name.
    single: bool,
    /// Names of what is there and is to be replaced.
    old: Vec<String>,
    uploads: Vec<Upload>,
    current: Option<Shared<Upload>>,
}

impl Remote {
    pub(super) fn object(place: Prefix) -> Remote {
        Remote { single: true, ..Remote::objects(place, Vec::new()) }
    }

    pub(super) fn objects(place: Prefix, old: Vec<String>) -> Remote {
        Remote { place, single: false, old, uploads: Vec::new(), current: None }
    }
}

impl Target for Remote {
    fn create(&mut self, name: &str) -> Result<Box<dyn Write + Send>> {
        let upload = Shared::new(self.place.begin(if self.single { "" } else { name })?);
        let lent = upload.lend();
        self.current = Some(upload);
        Ok(Box::new(lent))
    }

    fn close(&mut self) -> Result<u64> {
        let Some(Shared(current)) = self.current.take() else { return Ok(0) };
        let Some(upload) = std::sync::Arc::into_inner(current) else {
            return Err(Error::usage("a file is written that was closed"));
        };
        let mut upload = upload.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        upload.finish()?;
        let bytes = upload.bytes();
        self.uploads.push(upload);
        Ok(bytes)
    }

    fn commit(mut self: Box<Self>) -> Result<()> {
        let mut shown: Vec<String> = Vec::new();
        for upload in &mut self.uploads {
            if let Err(e) = upload.complete() {
                // Half an export is worse than none; what was replaced is gone either way.
                for name in shown {
                    let _ = self.place.remove(&name);
                }
                return Err(e);
            }
            shown.push(upload.name().to_owned());
        }
        for name in self.old.iter().filter(|name| !shown.contains(name)) {
            self.place.remove(name)?;
        }
        Ok(())
    }
}
