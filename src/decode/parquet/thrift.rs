//! What a Parquet file says of itself, looked through before the library believes it: a few bytes can
//! announce a schema of a million levels or a page of gigabytes.
//!
//! Source: Thrift compact protocol specification; Apache Parquet, `parquet.thrift`.

/// Groups in groups: deeper than that no table of logs is.
const MOST_LEVELS: usize = 32;
/// Things in one footer: columns times row groups, and what is said of each.
const MOST_THINGS: usize = 4 << 20;

const FALSE: u8 = 2;
const I32: u8 = 5;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// A walk over one structure. Everything gives `None` where the bytes are none.
struct Thrift<'b> {
    bytes: &'b [u8],
    /// How many more elements of lists may come.
    things: usize,
}

impl<'b> Thrift<'b> {
    fn new(bytes: &'b [u8]) -> Thrift<'b> {
        Thrift { bytes, things: MOST_THINGS }
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn integer(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn pass(&mut self, bytes: u64) -> Option<()> {
        self.bytes = self.bytes.get(usize::try_from(bytes).ok()?..)?;
        Some(())
    }

    /// The next member's id and type; `Some(None)` at the end of the structure.
    fn member(&mut self, last: &mut i64) -> Option<Option<(i64, u8)>> {
        let head = self.byte()?;
        if head == 0 {
            return Some(None);
        }
        *last = match head >> 4 {
            0 => self.integer()?,
            step => last.checked_add(i64::from(step))?,
        };
        Some(Some((*last, head & 0x0f)))
    }

    /// Number and type of the elements of a list.
    fn list(&mut self) -> Option<(usize, u8)> {
        let head = self.byte()?;
        let size = match head >> 4 {
            15 => self.varint()?,
            size => u64::from(size),
        };
        self.count(size).map(|size| (size, head & 0x0f))
    }

    /// Every element takes a byte at least.
    fn count(&mut self, size: u64) -> Option<usize> {
        let size = usize::try_from(size).ok().filter(|size| *size <= self.bytes.len())?;
        self.things = self.things.checked_sub(size)?;
        Some(size)
    }

    fn skip(&mut self, kind: u8, levels: usize) -> Option<()> {
        let levels = levels.checked_sub(1)?;
        match kind {
            1 | FALSE => Some(()),
            3 => self.pass(1),
            4..=6 => self.varint().map(drop),
            7 => self.pass(8),
            8 => {
                let size = self.varint()?;
                self.pass(size)
            }
            LIST | 10 => {
                let (size, kind) = self.list()?;
                (0..size).try_for_each(|_| self.element(kind, levels))
            }
            11 => {
                let size = self.varint()?;
                let size = self.count(size)?;
                let kinds = if size == 0 { 0 } else { self.byte()? };
                (0..size).try_for_each(|_| {
                    self.element(kinds >> 4, levels)?;
                    self.element(kinds & 0x0f, levels)
                })
            }
            STRUCT => {
                let mut last = 0;
                while let Some((_, kind)) = self.member(&mut last)? {
                    self.skip(kind, levels)?;
                }
                Some(())
            }
            13 => self.pass(16),
            _ => None,
        }
    }

    /// Booleans take a byte in lists, none as members.
    fn element(&mut self, kind: u8, levels: usize) -> Option<()> {
        if kind <= FALSE { self.pass(1) } else { self.skip(kind, levels) }
    }
}

/// Whether a footer can be given to the library: it is whole, its schema is a tree of bearable depth, and
/// no list is longer than the bytes that are there.
pub(super) fn is_bearable(footer: &[u8]) -> bool {
    walk_footer(footer).is_some()
}

fn walk_footer(footer: &[u8]) -> Option<()> {
    const SCHEMA: i64 = 2;
    let mut thrift = Thrift::new(footer);
    let mut last = 0;
    let mut schemas = 0;
    while let Some((id, kind)) = thrift.member(&mut last)? {
        if (id, kind) == (SCHEMA, LIST) {
            schemas += 1;
            walk_schema(&mut thrift)?;
        } else {
            thrift.skip(kind, MOST_LEVELS)?;
        }
    }
    (schemas == 1).then_some(())
}

/// The schema is a list of nodes, each before its children.
fn walk_schema(thrift: &mut Thrift) -> Option<()> {
    const CHILDREN: i64 = 5;
    let (size, kind) = thrift.list()?;
    // How many children are still to come, from the root on.
    let mut open: Vec<u64> = Vec::new();
    for node in 0..size {
        if node > 0 {
            *open.last_mut()? -= 1;
        }
        let (mut last, mut children) = (0, 0);
        if kind != STRUCT {
            return None;
        }
        while let Some((id, kind)) = thrift.member(&mut last)? {
            match (id, kind) {
                (CHILDREN, I32) => children = u64::try_from(thrift.integer()?).ok()?,
                _ => thrift.skip(kind, MOST_LEVELS)?,
            }
        }
        if children > size as u64 {
            return None;
        }
        open.push(children);
        while open.pop_if(|left| *left == 0).is_some() {}
        if open.len() > MOST_LEVELS {
            return None;
        }
    }
    (size > 0 && open.is_empty()).then_some(())
}

/// What the head of a page announces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub uncompressed: u64,
    pub compressed: u64,
    /// Values in it, nulls among them.
    pub values: u64,
    pub is_dictionary: bool,
    /// How they are written, by its number in `parquet.thrift`.
    pub encoding: u64,
    /// Bytes before what is compressed.
    pub levels: u64,
}

/// The head of a page, and how many bytes it takes; `None` when these bytes are none, or not all of one.
pub(super) fn page(head: &[u8]) -> Option<(Page, usize)> {
    let mut thrift = Thrift::new(head);
    let mut page = Page::default();
    let mut last = 0;
    while let Some((id, kind)) = thrift.member(&mut last)? {
        match (id, kind) {
            (2, I32) => page.uncompressed = thrift.size()?,
            (3, I32) => page.compressed = thrift.size()?,
            (5 | 7 | 8, STRUCT) => {
                page.is_dictionary = id == 7;
                thrift.page_of_kind(id, &mut page)?;
            }
            _ => thrift.skip(kind, MOST_LEVELS)?,
        }
    }
    Some((page, head.len() - thrift.bytes.len()))
}

impl Thrift<'_> {
    fn size(&mut self) -> Option<u64> {
        u64::try_from(self.integer()?).ok()
    }

    /// What is said of a page of data, of a dictionary, or of a page of data of version 2.
    fn page_of_kind(&mut self, id: i64, page: &mut Page) -> Option<()> {
        let mut last = 0;
        while let Some((member, kind)) = self.member(&mut last)? {
            match (id, member, kind) {
                (_, 1, I32) => page.values = self.size()?,
                (5 | 7, 2, I32) | (8, 4, I32) => page.encoding = self.size()?,
                (8, 5 | 6, I32) => page.levels += self.size()?,
                _ => self.skip(kind, MOST_LEVELS)?,
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_that_announce_more_than_they_hold_are_refused() {
        // Version 1; a schema of a root with one child and that child; no rows; no groups.
        let node = |children: u8| vec![0x48, 1, b'a', 0x15, children << 1, 0];
        let leaf = vec![0x15, 2, 0x38, 1, b'a', 0];
        let footer = |nodes: u8, schema: &[u8]| {
            [&[0x15, 2, 0x19, nodes << 4 | 12], schema, &[0x16, 0, 0x19, 0x0c, 0]].concat()
        };
        let good = footer(2, &[node(1), leaf.clone()].concat());
        assert!(is_bearable(&good));
        assert!(good.iter().enumerate().all(|(n, _)| !is_bearable(&good[..n])), "cut");
        assert!(!is_bearable(&footer(2, &[node(2), leaf.clone()].concat())), "a child is missing");
        assert!(!is_bearable(&footer(2, &[node(0), leaf].concat())), "two roots");
        // A group in a group in a group: as long as the list says, and no end of it.
        let deep: Vec<u8> = (0..200).flat_map(|_| node(1)).collect();
        let deep = [&[0x15, 2, 0x19, 0xfc, 200, 1], deep.as_slice(), &[0]].concat();
        assert!(!is_bearable(&deep));
        let endless = [0x15, 2, 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 7, 0];
        assert!(!is_bearable(&endless), "a list longer than the file");
    }

    #[test]
    fn heads_of_pages_are_read() {
        let head = [0x15, 0, 0x15, 200, 1, 0x15, 100, 0x2c, 0x15, 20, 0x15, 6, 0, 0];
        let expected =
            Page { uncompressed: 100, compressed: 50, values: 10, encoding: 3, ..Page::default() };
        assert_eq!(page(&head), Some((expected, head.len())));
        assert!((0..head.len()).all(|n| page(&head[..n]).is_none()), "cut");
        // Statistics with a list of two thousand million numbers.
        let endless = [0x15, 0, 0x2c, 0x5c, 0x19, 0xf7, 0xff, 0xff, 0xff, 0xff, 7, 0, 0];
        assert_eq!(page(&endless), None);
        assert_eq!(page(&[0x15, 0, 0x15, 1, 0]), None, "a negative size");
    }
}
