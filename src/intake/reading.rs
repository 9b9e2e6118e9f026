//! Reads one file: its records, or the files in it if it is an archive.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::books::{FileBook, FileReject};
use super::chunk::FileEnd;
use super::worker::{CHUNK_BYTES, Worker};
use crate::decode::parquet::{ParquetRecords, Room};
use crate::decode::raw::RawRecord;
use crate::decode::{Item, Place, RecordStream, Reject};
use crate::error::Result;
use crate::sources::layout::{PathKind, path_kind};
use crate::sources::{Member, OpenedFile};

/// Archives within archives, no deeper than that.
const MOST_ARCHIVES: usize = 3;
/// Files of Insights hold no more records than this; it bounds what is remembered of one.
const MOST_OTHERS: usize = 10_000;

/// What was found in one stream so far.
#[derive(Default)]
struct Count {
    readable: u64,
    rejected: u64,
    /// Records of no call at its beginning. A file of nothing else is no log; in a log they are
    /// rejected.
    others: Vec<(&'static str, Place)>,
}

impl Count {
    fn nothing(&self) -> bool {
        self.readable + self.rejected == 0
    }
}

fn no_call(what: &str) -> String {
    format!("a record of kind {what} tells of no call")
}

/// What gives records.
trait Records {
    fn next(&mut self) -> Option<Item<'_>>;
    /// After the end: whether more can be read behind what is damaged.
    fn go_on(&mut self) -> bool;
    fn bytes_read(&self) -> u64;
}

impl Records for RecordStream<OpenedFile<'_>> {
    fn next(&mut self) -> Option<Item<'_>> {
        RecordStream::next(self)
    }

    fn go_on(&mut self) -> bool {
        let more = self.failed() && self.reader().recover();
        if more {
            RecordStream::go_on(self);
        }
        more
    }

    fn bytes_read(&self) -> u64 {
        RecordStream::bytes_read(self)
    }
}

impl Records for ParquetRecords {
    fn next(&mut self) -> Option<Item<'_>> {
        ParquetRecords::next(self)
    }

    /// It has done so by itself.
    fn go_on(&mut self) -> bool {
        false
    }

    fn bytes_read(&self) -> u64 {
        ParquetRecords::bytes_read(self)
    }
}

/// Where the worker is in its work: the unit, and the next piece of it.
type At<'p> = (usize, &'p mut usize);

/// What is read.
struct Input {
    /// Its number among the files.
    index: usize,
    path: PathBuf,
    /// The same as it may be stored.
    shown: PathBuf,
    /// Whether trouble with its content is worth reporting.
    expected: bool,
    /// Archives around it.
    depth: usize,
}

impl Worker<'_, '_> {
    pub(super) fn read_file(&mut self, index: usize, at: At<'_>) -> Result<()> {
        let file = &self.shared.files[index];
        let shown = self.shared.options.shown(&file.path);
        let (path, expected) = (file.path.clone(), file.expected);
        let input = Input { index, path, shown, expected, depth: 0 };
        match self.shared.ahead.open(index, self.shared.options.inflated_bytes) {
            Ok(opened) => self.read(&input, opened, at),
            Err(e) => {
                self.unreadable(&input, e.to_string());
                Ok(())
            }
        }
    }

    fn read(&mut self, input: &Input, opened: OpenedFile<'_>, at: At<'_>) -> Result<()> {
        if opened.is_parquet() {
            return self.read_parquet(input, opened, at);
        }
        if !opened.is_archive() {
            return self.read_text(input, opened, at);
        }
        if input.depth < MOST_ARCHIVES {
            return self.read_archive(input, opened, at);
        }
        let reason = format!("an archive inside of {MOST_ARCHIVES} archives; unpack it first");
        self.unreadable(input, reason);
        Ok(())
    }

    fn read_text(&mut self, input: &Input, opened: OpenedFile<'_>, at: At<'_>) -> Result<()> {
        let packed = opened.is_packed();
        let mut stream = RecordStream::new(opened, self.shared.options.limits);
        let mut end = self.read_records(input, &mut stream, packed, at)?;
        end.stored = stream.into_reader().finish().ok();
        self.chunk.end_file(input.index, end);
        Ok(())
    }

    fn read_parquet(
        &mut self,
        input: &Input,
        mut opened: OpenedFile<'_>,
        at: At<'_>,
    ) -> Result<()> {
        let kept = match opened.keep() {
            Ok((kept, None)) => kept,
            Ok((_, Some(e))) | Err(e) => {
                self.unreadable(input, format!("Parquet: {e}"));
                return Ok(());
            }
        };
        let (unit, piece) = at;
        // What was read before would be waited for.
        if self.chunk.bytes > 0 {
            self.hand_in(unit, piece, false)?;
        }
        self.shared.gate.wait_for_turn(unit);
        let options = self.shared.options;
        let room = Room { text_bytes: options.inflated_bytes, page_bytes: options.page_bytes };
        let mut records = ParquetRecords::open(kept, options.limits, room);
        let is_log = records.is_log();
        let mut end = self.read_records(input, &mut records, is_log, (unit, piece))?;
        drop(records);
        end.stored = opened.finish().ok();
        self.chunk.end_file(input.index, end);
        Ok(())
    }

    /// What is known at its end. `likely` says that somebody meant it to be read, whatever its path says.
    fn read_records(
        &mut self,
        input: &Input,
        records: &mut dyn Records,
        likely: bool,
        (unit, piece): At<'_>,
    ) -> Result<FileEnd> {
        let limits = self.shared.options.limits;
        let mut end = FileEnd::default();
        let mut count = Count::default();
        loop {
            let Some(item) = records.next() else {
                if records.go_on() {
                    continue;
                }
                break;
            };
            match item {
                Item::Record(place, record, text) => match record.other_than_call() {
                    Some(what) if count.nothing() && count.others.len() < MOST_OTHERS => {
                        count.others.push((what, place));
                    }
                    Some(what) => {
                        self.reject_others(input, &mut count);
                        let reject = place.reject(no_call(what), text, limits.reject_bytes);
                        self.reject(input, reject, &mut count);
                    }
                    None => {
                        self.reject_others(input, &mut count);
                        match self.push(input, place, &record, text) {
                            Ok(()) => count.readable += 1,
                            Err(why) => {
                                let reject = place.reject(why, text, limits.reject_bytes);
                                self.reject(input, reject, &mut count);
                            }
                        }
                    }
                },
                // A file that only lies beside logs, and is none, is nobody's mistake.
                Item::Bad(_) if !input.expected && !likely && count.nothing() => {
                    end.not_a_log = Some("not a log");
                    break;
                }
                Item::Bad(reject) => {
                    self.reject_others(input, &mut count);
                    self.reject(input, reject, &mut count);
                }
                Item::NotALog(what) => end.not_a_log = Some(what),
            }
            if self.chunk.bytes >= CHUNK_BYTES {
                self.hand_in(unit, piece, false)?;
            }
        }
        end.not_a_log = end.not_a_log.or(count.others.first().map(|(what, _)| *what));
        end.inflated_bytes = records.bytes_read();
        end.unreadable = count.readable == 0 && count.rejected > 0;
        Ok(end)
    }

    /// Takes a record over; the reason, where it is no event.
    fn push(
        &mut self,
        input: &Input,
        place: Place,
        record: &RawRecord,
        text: &str,
    ) -> Result<(), String> {
        let path = input.shown.to_string_lossy();
        self.chunk.bytes += text.len();
        let Some(redactor) = &self.shared.options.redactor else {
            let event = self.decoder.event(record).map_err(|why| why.to_string())?;
            self.chunk.push(input.index, &path, place.number, &event);
            return Ok(());
        };
        let redacted = redactor.json(text);
        let record: RawRecord = serde_json::from_str(&redacted).map_err(|why| why.to_string())?;
        let event = self.decoder.event(&record).map_err(|why| why.to_string())?;
        self.chunk.push(input.index, &path, place.number, &event);
        Ok(())
    }

    /// Each file in the archive gets a book of its own; the archive's own book holds what is wrong with
    /// the archive itself.
    fn read_archive(
        &mut self,
        input: &Input,
        mut opened: OpenedFile<'_>,
        at: At<'_>,
    ) -> Result<()> {
        let (unit, piece) = at;
        let (mut files, mut troubles) = (0u64, 0u64);
        opened.each_member(&mut |member| {
            match member {
                Member::File(name, opened) => {
                    files += 1;
                    let path = format!("{}!{name}", input.path.display());
                    self.read_member(PathBuf::from(path), input.depth, opened, (unit, piece))?;
                }
                Member::Trouble(reason) => {
                    troubles += 1;
                    self.reject_file(input, reason);
                }
            }
            if self.chunk.is_full() {
                self.hand_in(unit, piece, false)?;
            }
            Ok(())
        })?;
        let end = FileEnd {
            archive: true,
            unreadable: files == 0 && troubles > 0,
            stored: opened.finish().ok(),
            ..FileEnd::default()
        };
        self.chunk.end_file(input.index, end);
        Ok(())
    }

    fn read_member(
        &mut self,
        path: PathBuf,
        depth: usize,
        opened: std::io::Result<OpenedFile<'_>>,
        at: At<'_>,
    ) -> Result<()> {
        if !self.shared.options.sources.only.wants(&path) {
            self.shared.left_out.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let kind = path_kind(&path);
        let shown = self.shared.options.shown(&path);
        let input = Input {
            index: self.shared.next_member.fetch_add(1, Ordering::Relaxed),
            path,
            shown: shown.clone(),
            expected: kind == PathKind::Log,
            depth: depth + 1,
        };
        self.chunk.begin_member(input.index, FileBook { path: shown, ..FileBook::default() });
        let passed_over = match kind {
            PathKind::Digest => Some("digest"),
            PathKind::Insight => Some("Insights"),
            PathKind::Aggregated => Some("aggregated"),
            PathKind::Log | PathKind::Other => None,
        };
        match opened {
            Ok(opened) if passed_over.is_some() => {
                let stored = opened.finish().ok();
                let end = FileEnd { not_a_log: passed_over, stored, ..FileEnd::default() };
                self.chunk.end_file(input.index, end);
                Ok(())
            }
            Ok(opened) => self.read(&input, opened, at),
            Err(e) => {
                self.unreadable(&input, e.to_string());
                Ok(())
            }
        }
    }

    fn reject(&mut self, input: &Input, reject: Reject, count: &mut Count) {
        let reject = self.shared.options.shown_reject(reject);
        self.chunk.reject(input.index, FileReject { path: input.shown.clone(), reject });
        count.rejected += 1;
    }

    /// What began like a file of Insights turns out to be a log with some among its records.
    fn reject_others(&mut self, input: &Input, count: &mut Count) {
        for (what, place) in std::mem::take(&mut count.others) {
            self.reject(input, place.reject(no_call(what), "", 0), count);
        }
    }

    /// Nothing of it can be read.
    fn unreadable(&mut self, input: &Input, reason: String) {
        self.reject_file(input, reason);
        let end = FileEnd { unreadable: true, ..FileEnd::default() };
        self.chunk.end_file(input.index, end);
    }

    fn reject_file(&mut self, input: &Input, reason: String) {
        let reject = Reject { position: "file".to_owned(), reason, content: None };
        let reject = self.shared.options.shown_reject(reject);
        self.chunk.reject(input.index, FileReject { path: input.shown.clone(), reject });
    }
}
