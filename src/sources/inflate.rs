//! Layers of compression, recognised by content and taken off under a cap.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use flate2::bufread::GzDecoder;

use super::s3::Refused;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
/// Magic and the only method of compression there is.
const GZIP_START: &[u8] = &[0x1f, 0x8b, 8];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const ZIP_MAGICS: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
const PARQUET_MAGIC: &[u8] = b"PAR1";
/// Where a tar archive says that it is one.
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");
/// Enough to recognise everything by.
const HEAD: usize = 512;
const READ_BUFFER: usize = 128 * 1024;
/// The first read of a stream.
const FIRST_READ: usize = 8 * 1024;
/// Where a member is damaged, the next one may begin in what the decoder took for its data.
const MOST_HELD: usize = 64 * 1024;
/// Compression within compression, no more often than that.
const MOST_LAYERS: usize = 4;
/// Largest window of zstd, as a power of two; it is held in memory.
const ZSTD_WINDOW_LOG: u32 = 26;

/// A stream that may be able to go on behind an error.
pub(super) trait Layer: Read {
    /// After an error: whether more can be read behind what is damaged.
    fn recover(&mut self) -> bool {
        false
    }
}

/// What a stream is when all compression is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Zip,
    Tar,
    Parquet,
}

/// How much may come out.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    /// Bytes that one file may inflate to.
    pub cap: u64,
    /// What all files of one archive may still inflate to.
    pub left: Rc<Cell<u64>>,
}

impl Budget {
    /// For one object: an archive may hold a few files as large as one may be.
    pub(super) fn new(cap: u64) -> Budget {
        Budget { cap, left: Rc::new(Cell::new(cap.saturating_mul(4))) }
    }
}

/// The innermost stream, what it is, and whether anything was compressed.
pub(super) struct Peeled<'a> {
    pub body: Box<dyn Layer + 'a>,
    pub form: Form,
    pub packed: bool,
}

/// Takes off all compression.
///
/// # Errors
/// Those of the first read of the stream itself; trouble with compression comes when it is read.
pub(super) fn peel<'a>(raw: Box<dyn Layer + 'a>, budget: &Budget) -> io::Result<Peeled<'a>> {
    let mut stream = raw;
    let mut packed = false;
    for layer in 0..=MOST_LAYERS {
        let mut buffered = Buffered::new(stream);
        match buffered.fill_head() {
            Err(e) if layer == 0 => return Err(e),
            Err(e) => buffered.error = Some(e),
            Ok(()) => {}
        }
        let head = buffered.unread();
        if layer < MOST_LAYERS && head.starts_with(GZIP_MAGIC) {
            stream = Box::new(Capped::new(Box::new(Members::new(buffered)), budget));
        } else if layer < MOST_LAYERS && head.starts_with(ZSTD_MAGIC) {
            stream = Box::new(Capped::new(Box::new(Zstd::new(buffered)?), budget));
        } else {
            let form = form_of(head);
            let body: Box<dyn Layer> = Box::new(buffered);
            let body = if packed { body } else { Box::new(Capped::new(body, budget)) };
            return Ok(Peeled { body, form, packed });
        }
        packed = true;
    }
    Err(io::Error::other("compressed too often"))
}

fn form_of(head: &[u8]) -> Form {
    let (at, magic) = TAR_MAGIC;
    if ZIP_MAGICS.iter().any(|magic| head.starts_with(magic)) {
        Form::Zip
    } else if head.get(at..).is_some_and(|rest| rest.starts_with(magic)) {
        Form::Tar
    } else if head.starts_with(PARQUET_MAGIC) {
        Form::Parquet
    } else {
        Form::Text
    }
}

/// A stream whose next bytes can be looked at.
pub(super) struct Buffered<'a> {
    inner: Box<dyn Layer + 'a>,
    buffer: Vec<u8>,
    at: usize,
    /// End of what was read into `buffer`; what lies behind is room.
    filled: usize,
    /// Bytes from here on are kept although they were read, the last of them at least.
    held: Option<usize>,
    /// Met while looking ahead; it comes in its turn.
    error: Option<io::Error>,
}

impl<'a> Buffered<'a> {
    fn new(inner: Box<dyn Layer + 'a>) -> Buffered<'a> {
        Buffered { inner, buffer: Vec::new(), at: 0, filled: 0, held: None, error: None }
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.at..self.filled).unwrap_or(&[])
    }

    /// Looks far enough ahead to recognise what follows.
    fn fill_head(&mut self) -> io::Result<()> {
        while self.unread().len() < HEAD && self.more()? {}
        Ok(())
    }

    /// Reads more behind what is unread; false at the end.
    fn more(&mut self) -> io::Result<bool> {
        if self.error.is_some() {
            return Ok(false);
        }
        let kept = self.held.map_or(0, |held| self.at.saturating_sub(held)).min(MOST_HELD);
        self.buffer.copy_within(self.at - kept..self.filled, 0);
        self.filled -= self.at - kept;
        self.at = kept;
        self.held = self.held.map(|_| 0);
        let old = self.filled;
        // Most files are small, and room must be cleared before it is used.
        let room = if self.buffer.is_empty() { FIRST_READ } else { READ_BUFFER };
        if self.buffer.len() < old + room {
            self.buffer.resize(old + room, 0);
        }
        let read = loop {
            match self.inner.read(&mut self.buffer[old..]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        match read {
            Ok(n) => {
                self.filled += n;
                Ok(n > 0)
            }
            // What was read before it is still good.
            Err(e) if old > 0 => {
                self.error = Some(e);
                Ok(false)
            }
            Err(e) => Err(e),
        }
    }
}

impl Read for Buffered<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.unread().is_empty() && self.error.is_none() && out.len() >= FIRST_READ {
            return self.inner.read(out);
        }
        let bytes = self.fill_buf()?;
        let n = bytes.len().min(out.len());
        out[..n].copy_from_slice(&bytes[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Buffered<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.unread().is_empty() {
            self.more()?;
        }
        match self.error.take_if(|_| self.at >= self.filled) {
            Some(error) => Err(error),
            None => Ok(self.unread()),
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.filled);
    }
}

impl Layer for Buffered<'_> {
    fn recover(&mut self) -> bool {
        self.inner.recover()
    }
}

/// Refuses to give more than is allowed.
struct Capped<'a> {
    inner: Box<dyn Layer + 'a>,
    given: u64,
    budget: Budget,
}

impl<'a> Capped<'a> {
    fn new(inner: Box<dyn Layer + 'a>, budget: &Budget) -> Capped<'a> {
        Capped { inner, given: 0, budget: budget.clone() }
    }

    fn exceeded(&self) -> bool {
        self.given > self.budget.cap || self.budget.left.get() == 0
    }
}

impl Read for Capped<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        // One byte past the cap is asked for, so that a file of exactly the cap passes.
        let room = self.budget.cap.saturating_add(1).saturating_sub(self.given);
        let room = room.min(self.budget.left.get());
        let wanted = out.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        let n = if self.exceeded() { 0 } else { self.inner.read(&mut out[..wanted])? };
        self.given += n as u64;
        self.budget.left.set(self.budget.left.get().saturating_sub(n as u64));
        if self.exceeded() {
            let whose = if self.given > self.budget.cap { "" } else { "the archive " };
            let cap = self.budget.cap.saturating_mul(if whose.is_empty() { 1 } else { 4 });
            let text =
                format!("{whose}inflates to more than the allowed {cap} bytes (--max-inflated)");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        Ok(n)
    }
}

impl Layer for Capped<'_> {
    fn recover(&mut self) -> bool {
        !self.exceeded() && self.inner.recover()
    }
}

/// All members of a gzip file, one after the other: logs joined with `cat a.gz b.gz` are legal gzip.
struct Members<'a> {
    state: State<'a>,
    /// The beginning of a member that was found behind damage.
    found: io::Cursor<Vec<u8>>,
}

enum State<'a> {
    Member(Box<GzDecoder<Buffered<'a>>>),
    /// Behind the last member, or before what is none.
    Between(Buffered<'a>),
    /// Only while one state is made into the next.
    Moving,
}

impl<'a> State<'a> {
    fn member(mut raw: Buffered<'a>) -> State<'a> {
        raw.held = Some(raw.at);
        State::Member(Box::new(GzDecoder::new(raw)))
    }
}

impl<'a> Members<'a> {
    fn new(raw: Buffered<'a>) -> Members<'a> {
        Members { state: State::member(raw), found: io::Cursor::new(Vec::new()) }
    }

    /// What is not read yet, as stored.
    fn take_raw(&mut self) -> Option<Buffered<'a>> {
        match std::mem::replace(&mut self.state, State::Moving) {
            State::Member(decoder) => Some(decoder.into_inner()),
            State::Between(raw) => Some(raw),
            State::Moving => None,
        }
    }

    /// Whether nothing but zeros follows: tapes and some disks fill their last block. GNU gzip ignores
    /// them as well.
    fn only_zeros(&mut self) -> bool {
        let State::Between(raw) = &mut self.state else { return false };
        loop {
            let zeros = raw.unread().iter().take_while(|byte| **byte == 0).count();
            if zeros < raw.unread().len() {
                return false;
            }
            raw.consume(zeros);
            if !matches!(raw.more(), Ok(true)) {
                return raw.error.is_none();
            }
        }
    }

    /// Goes on behind a member that has ended with a right checksum.
    fn next_member(&mut self) -> io::Result<()> {
        let Some(mut raw) = self.take_raw() else { return Ok(()) };
        raw.held = None;
        let seen = raw.fill_head();
        let (empty, gzip) = (raw.unread().is_empty(), raw.unread().starts_with(GZIP_MAGIC));
        // The decoder reads a header as soon as it is made.
        self.state = match gzip {
            true => State::member(raw),
            false => State::Between(raw),
        };
        seen?;
        if empty || gzip || self.only_zeros() {
            return Ok(());
        }
        let text = "gzip: trailing junk: what follows the last member is not gzip";
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }
}

impl Read for Members<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.found.read(out)?;
        if n > 0 {
            return Ok(n);
        }
        while let (State::Member(decoder), false) = (&mut self.state, out.is_empty()) {
            let n = decoder.read(out).map_err(|e| explain("gzip", e))?;
            if n > 0 {
                return Ok(n);
            }
            self.next_member()?;
        }
        Ok(0)
    }
}

impl Layer for Members<'_> {
    /// Looks for the next member that gives anything.
    fn recover(&mut self) -> bool {
        let Some(mut raw) = self.take_raw() else { return false };
        loop {
            // What was taken for a member was none, or is damaged: on behind its first byte.
            if let Some(held) = raw.held.take() {
                raw.at = (held + 1).min(raw.filled);
            }
            let next = memchr::memmem::find(raw.unread(), GZIP_START);
            // The magic may lie across the end of what is in memory.
            let all = raw.unread().len();
            raw.consume(next.unwrap_or(all.saturating_sub(GZIP_START.len() - 1)));
            if next.is_none() {
                if matches!(raw.more(), Ok(true)) {
                    continue;
                }
                self.state = State::Between(raw);
                return false;
            }
            raw.held = Some(raw.at);
            let mut decoder = GzDecoder::new(raw);
            let mut first = vec![0; 4096];
            let n = decoder.read(&mut first).unwrap_or(0);
            if n > 0 {
                first.truncate(n);
                self.found = io::Cursor::new(first);
                self.state = State::Member(Box::new(decoder));
                return true;
            }
            raw = decoder.into_inner();
        }
    }
}

/// All frames of a zstd file.
struct Zstd<'a>(zstd::stream::read::Decoder<'static, Buffered<'a>>);

impl<'a> Zstd<'a> {
    fn new(raw: Buffered<'a>) -> io::Result<Zstd<'a>> {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(raw)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG)?;
        Ok(Zstd(decoder))
    }
}

impl Read for Zstd<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out).map_err(|e| explain("zstd", e))
    }
}

impl Layer for Zstd<'_> {}

/// Says which compression is in trouble.
pub(super) fn explain(what: &str, e: io::Error) -> io::Error {
    // Bytes that did not come are no fault of the bytes that came; a cap is none of the data.
    let refused = e.get_ref().is_some_and(|inner| inner.is::<Refused>());
    if refused || e.kind() == io::ErrorKind::FileTooLarge {
        return e;
    }
    let text = match e.kind() {
        io::ErrorKind::UnexpectedEof => format!("{what}: truncated, the stream ends early"),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            format!("{what}: corrupt data ({e})")
        }
        _ => format!("{what}: {e}"),
    };
    io::Error::new(e.kind(), text)
}
