//! The bytes of a row group, given out page by page; a page that would take too much memory is refused
//! before it is read.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use parquet::basic::Compression;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::thrift;

/// One page, compressed or not. DuckDB writes pages of up to 100 MB.
const MOST_PAGE: u64 = 160 << 20;
/// Values of one page.
const MOST_VALUES: u64 = 4 << 20;
/// Bytes to look for the head of a page in, at first and then.
const HEADS: [usize; 2] = [4 << 10, 8 << 20];
/// Encodings that take no more memory than a page says: PLAIN, PLAIN_DICTIONARY, RLE, RLE_DICTIONARY.
const ENCODINGS: [u64; 4] = [0, 2, 3, 8];
/// Values of one column of lists in one row group: all of them might belong to one row.
const MOST_LISTED: u64 = 8 << 20;

/// A file, or bytes that were kept in memory.
pub trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

/// The bytes of a file, for several readers in turn.
#[derive(Clone)]
pub(super) struct Shared {
    source: Arc<Mutex<Box<dyn Source>>>,
    pub length: u64,
}

impl Shared {
    pub(super) fn new(mut source: Box<dyn Source>) -> io::Result<Shared> {
        let length = source.seek(SeekFrom::End(0))?;
        Ok(Shared { source: Arc::new(Mutex::new(source)), length })
    }

    /// Reads from `start` as much as there is, up to the length of `out`.
    fn read_at(&self, start: u64, out: &mut [u8]) -> io::Result<usize> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        source.seek(SeekFrom::Start(start))?;
        let mut read = 0;
        while read < out.len() {
            match source.read(&mut out[read..]) {
                Ok(0) => break,
                Ok(n) => read += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(read)
    }

    /// Exactly these bytes.
    pub(super) fn bytes(&self, start: u64, length: u64) -> io::Result<Vec<u8>> {
        let inside = start.checked_add(length).is_some_and(|end| end <= self.length);
        let length = usize::try_from(length).ok().filter(|_| inside);
        let Some(length) = length else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        let mut bytes = vec![0; length];
        let read = self.read_at(start, &mut bytes)?;
        if read == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// A column of the row group, and what of it is in memory.
struct Column {
    at: Range<u64>,
    is_list: bool,
    codec: Compression,
    page: thrift::Page,
    page_bytes: u64,
    dictionary_bytes: u64,
    values: u64,
}

/// See the module.
pub(super) struct Pages {
    shared: Shared,
    /// In the order in which they lie in the file.
    columns: Mutex<Vec<Column>>,
    /// Most bytes that pages may take at once.
    most: u64,
}

fn refused(text: impl Into<String>) -> ParquetError {
    ParquetError::General(text.into())
}

impl Pages {
    pub(super) fn new(shared: Shared, group: &RowGroupMetaData, most: u64) -> Result<Pages> {
        let mut columns = Vec::new();
        for column in group.columns() {
            let codec = column.compression();
            if matches!(codec, Compression::BROTLI(_) | Compression::LZ4 | Compression::LZO) {
                return Err(refused(format!(
                    "compressed with {codec}: write it again with zstd, snappy or gzip"
                )));
            }
            let offset = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let start = u64::try_from(offset.min(column.data_page_offset()));
            let length = u64::try_from(column.compressed_size());
            let at = start.ok().zip(length.ok()).map(|(s, l)| s..s.saturating_add(l));
            let Some(at) = at.filter(|at| at.end <= shared.length) else {
                return Err(refused("a column lies outside of the file"));
            };
            columns.push(Column {
                at,
                is_list: column.column_descr().max_rep_level() > 0,
                codec,
                page: thrift::Page::default(),
                page_bytes: 0,
                dictionary_bytes: 0,
                values: 0,
            });
        }
        columns.sort_by_key(|column| column.at.start);
        if columns.windows(2).any(|two| two[0].at.end > two[1].at.start) {
            return Err(refused("columns lie over each other"));
        }
        Ok(Pages { shared, columns: Mutex::new(columns), most })
    }

    /// Takes note of the page whose head begins here; gives the head.
    fn announced(&self, start: u64) -> Result<Vec<u8>> {
        let mut head = Vec::new();
        let mut page = None;
        // Most heads are short; some hold long texts.
        for most in HEADS {
            head.resize(most, 0);
            let read = self.shared.read_at(start, &mut head)?;
            page = thrift::page(&head[..read]);
            if page.is_some() || read < most {
                break;
            }
        }
        let (page, length) = page.ok_or_else(|| refused("the head of a page is damaged"))?;
        head.truncate(length);
        let mut columns = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        let column = column_at(&mut columns, start)?;
        if page.uncompressed.max(page.compressed) > MOST_PAGE || page.values > MOST_VALUES {
            return Err(refused(format!(
                "a page of {} bytes and {} values; up to {MOST_PAGE} bytes and {MOST_VALUES} values are \
                 read: write smaller row groups",
                page.uncompressed.max(page.compressed),
                page.values
            )));
        }
        if !ENCODINGS.contains(&page.encoding) {
            return Err(refused(
                "encoded as Parquet of version 2 has it (DELTA…): write it again as version 1, for example \
                 with DuckDB: COPY (FROM 'x.parquet') TO 'y.parquet'",
            ));
        }
        column.page = page;
        column.values += page.values;
        if page.is_dictionary {
            column.dictionary_bytes = page.uncompressed;
        } else {
            // Rows of two pages may be in hand at once.
            column.page_bytes = page.uncompressed + column.page_bytes.min(page.uncompressed);
        }
        // A row may hold all values of its group.
        let listed: u64 = columns.iter().filter(|c| c.is_list).map(|c| c.values).sum();
        if listed > MOST_LISTED {
            return Err(refused(format!("lists of more than {MOST_LISTED} values in a row group")));
        }
        let all: u64 = columns.iter().map(|c| c.page_bytes + c.dictionary_bytes).sum();
        if all > self.most {
            return Err(refused(format!(
                "the pages of a row group take more than {} bytes at once: write smaller row groups, for \
                 example with DuckDB: COPY (FROM 'x.parquet') TO 'y.parquet' (ROW_GROUP_SIZE 20000)",
                self.most
            )));
        }
        Ok(head)
    }

    /// gzip does not keep to what was announced by itself.
    fn check_gzip(&self, start: u64, bytes: &[u8]) -> Result<()> {
        let mut columns = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        let column = column_at(&mut columns, start)?;
        if !matches!(column.codec, Compression::GZIP(_)) {
            return Ok(());
        }
        let levels = usize::try_from(column.page.levels).unwrap_or(usize::MAX);
        let packed = bytes.get(levels..).unwrap_or(&[]);
        let announced = column.page.uncompressed;
        let inflated =
            io::copy(&mut MultiGzDecoder::new(packed).take(announced + 1), &mut io::sink());
        // What is no gzip is refused by whoever inflates it.
        match inflated {
            Ok(n) if n > announced => Err(refused("a page inflates to more than it announces")),
            _ => Ok(()),
        }
    }
}

fn column_at(columns: &mut [Column], start: u64) -> Result<&mut Column> {
    let column = columns.iter_mut().find(|column| column.at.contains(&start));
    column.ok_or_else(|| refused("a page lies outside of its column"))
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.shared.length
    }
}

impl ChunkReader for Pages {
    type T = Cursor<Vec<u8>>;

    /// For the head of a page.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(Cursor::new(self.announced(start)?))
    }

    /// For its body.
    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if length as u64 > MOST_PAGE {
            return Err(refused("a page is too large"));
        }
        let bytes = self.shared.bytes(start, length as u64)?;
        if !bytes.is_empty() {
            self.check_gzip(start, &bytes)?;
        }
        Ok(bytes.into())
    }
}
