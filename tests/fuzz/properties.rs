//! What must hold for any bytes; the fuzz targets and an ordinary test run these.

use std::io::{self, Cursor};

use roletrail::decode::{Decoder, Item, Limits, RecordStream};
use roletrail::events::EventsBuilder;
use roletrail::sources::Member;
use roletrail::sources::open::{Object, OpenedFile, open_object};

/// Small, so that limits are met.
pub const LIMITS: Limits =
    Limits { record_bytes: 16 << 10, string_bytes: 4 << 10, depth: 32, reject_bytes: 1 << 10 };

struct Bytes(Cursor<Vec<u8>>);

impl io::Read for Bytes {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}

impl Object for Bytes {}

/// Records in bytes of text: they are numbered without a gap, rejects stay small, columns can be built.
/// Gives how many there were, and how many of them were no events.
pub fn stream(reader: impl io::Read) -> (u64, u64) {
    let mut stream = RecordStream::new(reader, LIMITS);
    let mut decoder = Decoder::default();
    let mut rows = EventsBuilder::default();
    let (mut met, mut rejected, mut last) = (0u64, 0u64, 0u64);
    while let Some(item) = stream.next() {
        match item {
            Item::Record(place, record, text) => {
                met += 1;
                assert_eq!(place.number, last + 1, "no number is left out");
                last = place.number;
                assert!(text.len() <= LIMITS.record_bytes);
                match decoder.event(&record) {
                    Ok(event) => rows.push(&event, "file", 1),
                    Err(_) => rejected += 1,
                }
            }
            Item::Bad(reject) => {
                (met, rejected, last) = (met + 1, rejected + 1, last + 1);
                let content = reject.content.as_ref().map_or(0, String::len);
                assert!(content <= LIMITS.reject_bytes, "{content} bytes are kept");
                assert!(
                    !reject.reason.is_empty()
                        && reject.position.contains(&format!("record {last},"))
                );
            }
            Item::NotALog(what) => assert!(!what.is_empty() && met == 0),
        }
    }
    assert!(stream.next().is_none(), "the end stays the end");
    assert!(rows.finish().is_ok());
    (met, rejected)
}

/// Bytes as an object: whatever is packed into it.
pub fn object(bytes: &[u8]) {
    let opened = open_object(Box::new(Bytes(Cursor::new(bytes.to_vec()))), 1 << 20);
    if let Ok(opened) = opened {
        read(opened, 0);
    }
}

fn read(mut opened: OpenedFile<'_>, depth: usize) {
    if !opened.is_archive() {
        stream(opened);
        return;
    }
    let walked = opened.each_member(&mut |member| {
        if let (Member::File(_, Ok(inner)), true) = (member, depth < 3) {
            read(inner, depth + 1);
        }
        Ok(())
    });
    // What is cut off in an archive has no end to be read to.
    let whole = opened.finish().is_ok();
    assert!(walked.is_ok() && (whole || depth > 0));
}
