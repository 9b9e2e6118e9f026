//! What must hold for any bytes; the fuzz targets and an ordinary test run these.

use std::io::{self, Cursor};
use std::path::Path;

use roletrail::decode::parquet::{ParquetRecords, Room};
use roletrail::decode::{Decoder, Item, Limits, RecordStream};
use roletrail::decode::{account, redact};
use roletrail::events::{EventsBuilder, rebuild};
use roletrail::grants;
use roletrail::model::{arn, time};
use roletrail::redact::{Key, Redactor};
use roletrail::sessions::facts;
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

/// What was met in one input.
#[derive(Default)]
struct Tally {
    decoder: Decoder,
    rows: EventsBuilder,
    met: u64,
    rejected: u64,
}

impl Tally {
    /// Records are numbered without a gap, rejects stay small, columns can be built.
    fn take(&mut self, item: &Item) {
        match item {
            Item::Record(place, record, text) => {
                self.met += 1;
                assert_eq!(place.number, self.met, "no number is left out");
                assert!(text.len() <= LIMITS.record_bytes);
                match self.decoder.event(record) {
                    Ok(event) => self.rows.push(&event, "file", 1),
                    Err(_) => self.rejected += 1,
                }
            }
            Item::Bad(reject) => {
                (self.met, self.rejected) = (self.met + 1, self.rejected + 1);
                let content = reject.content.as_ref().map_or(0, String::len);
                assert!(content <= LIMITS.reject_bytes, "{content} bytes are kept");
                let number = format!("record {}", self.met);
                let position = reject.position.strip_prefix(&number);
                assert!(position.is_some_and(|p| p.is_empty() || p.starts_with(',')));
                assert!(!reject.reason.is_empty());
            }
            Item::NotALog(what) => assert!(!what.is_empty() && self.met == 0),
        }
    }

    fn end(mut self) -> (u64, u64) {
        assert!(self.rows.finish().is_ok());
        (self.met, self.rejected)
    }
}

/// Records in bytes of text. Gives how many there were, and how many of them were no events.
pub fn stream(reader: impl io::Read) -> (u64, u64) {
    let mut stream = RecordStream::new(reader, LIMITS);
    let mut tally = Tally::default();
    while let Some(item) = stream.next() {
        tally.take(&item);
    }
    assert!(stream.next().is_none(), "the end stays the end");
    tally.end()
}

/// Records in bytes of Parquet, as [`stream`].
pub fn parquet(bytes: impl io::Read + io::Seek + Send + 'static) -> (u64, u64) {
    let room = Room { text_bytes: 1 << 20, page_bytes: 1 << 20 };
    let mut records = ParquetRecords::open(bytes, LIMITS, room);
    let mut tally = Tally::default();
    while let Some(item) = records.next() {
        tally.take(&item);
    }
    assert!(records.next().is_none(), "the end stays the end");
    // The last row may go beyond.
    assert!(records.bytes_read() <= (1 << 20) + LIMITS.record_bytes as u64 + 64);
    tally.end()
}

/// Records as far as the rows of all tables that are made of one by itself; and back, and redacted.
/// Gives how many events there were.
pub fn record(bytes: &[u8]) -> u64 {
    let mut stream = RecordStream::new(bytes, LIMITS);
    let mut decoder = Decoder::default();
    let redactor = redactor();
    let mut events = 0;
    while let Some(item) = stream.next() {
        let Item::Record(_, record, text) = item else { continue };
        let Ok(event) = decoder.event(&record) else { continue };
        events += 1;
        let _ = grants::read(&event, "file", 1);
        let _ = facts::shared_call(&event);
        let mut rows = EventsBuilder::default();
        rows.push(&event, "file", 1);
        let row = rows.finish().unwrap();
        let again = rebuild::record(&row, 0).to_string();
        // Names twice in one object, half of a character and numbers of many digits are kept as they stand,
        // but are no JSON value; tokens are cut out of free text.
        let value = serde_json::from_str::<serde_json::Value>(text).map(|v| v.to_string());
        let exact = value.is_ok_and(|v| hash(&mut decoder, &v) == event.record_hash)
            && !redact::may_hold_token(text);
        let same = hash(&mut decoder, &again) == event.record_hash;
        assert!(same || !exact, "{text} became {again}");

        let hidden = redactor.json(text);
        assert_eq!(hidden, redactor.json(text), "pseudonyms stay");
        let hidden_record = serde_json::from_str(&hidden).unwrap();
        // Two names may have become one, and what was one account may be none.
        if let Ok(event) = decoder.event(&hidden_record) {
            let _ = grants::read(&event, "file", 1);
        }
    }
    events
}

fn hash(decoder: &mut Decoder, text: &str) -> u64 {
    let record = serde_json::from_str(text).unwrap();
    decoder.event(&record).unwrap().record_hash
}

fn redactor() -> Redactor {
    Redactor::new(&Key::new(b"a key for these properties").unwrap())
}

/// Text that stands in members: times, ARNs, account ids, messages.
pub fn text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(instant) = time::parse_instant(text) {
        assert_eq!(time::parse_instant(&time::format_instant(instant)), Some(instant));
    }
    let _ = (time::parse_expiration(text), time::parse_user_time(text, 1_714_550_400_000_000));
    let _ = arn::Arn::parse(text).map(|a| (a.role_name(), a.session_name(), a.user_name()));
    let _ = (arn::role_name(text), arn::account(text), arn::partition(text));
    let _ = (arn::service_of_linked_role(text), arn::partition_of_region(text));
    if let Some(id) = account::of_number(text) {
        assert!(id.len() == 12 && account::of_text(&id) == id);
    }
    let _ = account::of_text(text);
    let clean = redact::scrub(text);
    assert_eq!(redact::scrub(&clean), clean, "nothing is left to be removed");
    let redactor = redactor();
    for hide in [Redactor::text, Redactor::message, Redactor::agent, Redactor::path] {
        assert_eq!(hide(&redactor, text), hide(&redactor, text));
    }
}

/// Files that people write: sets of reports, saved queries, the snapshot of a store. `folder` is empty and
/// nobody else's.
pub fn settings(bytes: &[u8], folder: &Path) {
    use roletrail::answers::report::sets::Sets;
    use roletrail::sql::saved::Library;
    use roletrail::store::Store;

    let at = |name: &str| {
        let file = folder.join(name);
        std::fs::write(&file, bytes).unwrap();
        file
    };
    if let Ok(sets) = Sets::open(Some(&at("sets.toml"))) {
        let library = Library::built_in();
        sets.all().for_each(|(_, set)| drop(set.choose(&library)));
    }
    at("query.sql");
    let library = Library::open(Some(folder)).unwrap();
    let of_file = library.all().iter().filter(|query| query.file.is_some()).count();
    assert_eq!(of_file + library.troubles.len(), 1);
    at("snapshot.json");
    let _ = Store::exists(folder.to_path_buf());
}

/// Bytes as an object: whatever is packed into it.
pub fn object(bytes: &[u8]) {
    let opened = open_object(Box::new(Bytes(Cursor::new(bytes.to_vec()))), 1 << 20);
    if let Ok(opened) = opened {
        read(opened, 0);
    }
}

fn read(mut opened: OpenedFile<'_>, depth: usize) {
    if opened.is_parquet() {
        if let Ok((kept, _)) = opened.keep() {
            parquet(kept);
        }
        return;
    }
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
