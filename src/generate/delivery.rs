//! Delivery: records become gzipped log files under the paths CloudTrail uses, minutes late, out of
//! order, and now and then twice.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::clock::{MINUTE, Seconds, day_path, minute_stamp};
use super::dice::Dice;
use super::record::Record;
use crate::error::{Error, Result};

/// How files are laid out and filled.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// The organization's id, for organization trails.
    pub organization: Option<&'static str>,
    /// Records in a file at the most.
    pub per_file: usize,
    /// Records in ten thousand that are delivered twice.
    pub repeats: u64,
}

/// What was delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Files written.
    pub files: u64,
    /// Records in them, repeats included.
    pub records: u64,
    /// Bytes of JSON before compression.
    pub json_bytes: u64,
    /// Bytes on disk.
    pub gzip_bytes: u64,
}

impl Tally {
    /// Adds another tally to this one.
    pub fn add(&mut self, other: Tally) {
        self.files += other.files;
        self.records += other.records;
        self.json_bytes += other.json_bytes;
        self.gzip_bytes += other.gzip_bytes;
    }
}

/// A record and when its file was written.
type Parcel<'a> = (Seconds, &'a Record);

/// Refuses a folder that holds logs already: old files would mix with new ones.
pub fn check_fresh(out: &Path) -> Result<()> {
    if out.join("AWSLogs").exists() {
        let message = format!("{} holds logs already", out.display());
        return Err(Error::usage_hint(message, "give a new or empty folder"));
    }
    Ok(())
}

/// Writes all records into files under `out/AWSLogs`.
pub fn deliver(records: &[Record], layout: Layout, dice: &mut Dice, out: &Path) -> Result<Tally> {
    let mut folders: BTreeMap<(&str, &str), Vec<Parcel>> = BTreeMap::new();
    for record in records {
        let arrival = record.time + dice.between(MINUTE, 9 * MINUTE);
        folders.entry((&record.account, record.region)).or_default().push((arrival, record));
    }
    let mut tally = Tally::default();
    for ((account, region), mut parcels) in folders {
        parcels.sort_by_key(|(arrival, record)| (*arrival, record.time));
        let files = repeat_some(split(parcels, layout.per_file), layout, dice);
        for parcels in files {
            let path = file_path(layout, account, region, &parcels, dice);
            tally.add(write_file(&out.join(path), &parcels)?);
        }
    }
    Ok(tally)
}

/// Splits a folder's records into files of about equal size.
fn split(parcels: Vec<Parcel>, per_file: usize) -> Vec<Vec<Parcel>> {
    let files = parcels.len().div_ceil(per_file.max(1)).max(1);
    let size = parcels.len().div_ceil(files).max(1);
    parcels.chunks(size).map(<[Parcel]>::to_vec).collect()
}

/// Puts some records of a file into the next one as well.
fn repeat_some<'a>(
    mut files: Vec<Vec<Parcel<'a>>>,
    layout: Layout,
    dice: &mut Dice,
) -> Vec<Vec<Parcel<'a>>> {
    // From the back, so that a repeat is not repeated again.
    for next in (1..files.len()).rev() {
        let repeats: Vec<Parcel> = files[next - 1]
            .iter()
            .filter(|_| dice.below(10_000) < layout.repeats)
            .copied()
            .collect();
        files[next].extend(repeats);
    }
    files
}

fn file_path(
    layout: Layout,
    account: &str,
    region: &str,
    parcels: &[Parcel],
    dice: &mut Dice,
) -> PathBuf {
    let arrival = parcels.iter().map(|(arrival, _)| *arrival).max().unwrap_or_default();
    let mut path = PathBuf::from("AWSLogs");
    path.extend(layout.organization);
    path.extend([account, "CloudTrail", region]);
    path.push(day_path(arrival));
    let (stamp, random) = (minute_stamp(arrival), dice.mixed(16));
    path.push(format!("{account}_CloudTrail_{region}_{stamp}_{random}.json.gz"));
    path
}

fn write_file(path: &Path, parcels: &[Parcel]) -> Result<Tally> {
    let mut json =
        Vec::with_capacity(parcels.iter().map(|(_, r)| r.json.len() + 1).sum::<usize>() + 16);
    json.extend_from_slice(b"{\"Records\":[");
    for (index, (_, record)) in parcels.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        json.extend_from_slice(record.json.as_bytes());
    }
    json.extend_from_slice(b"]}");
    let mut encoder = GzEncoder::new(Vec::with_capacity(json.len() / 8), Compression::new(6));
    let packed =
        encoder.write_all(&json).and_then(|()| encoder.finish()).map_err(Error::io(path))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
    }
    fs::write(path, &packed).map_err(Error::io(path))?;
    Ok(Tally {
        files: 1,
        records: parcels.len() as u64,
        json_bytes: json.len() as u64,
        gzip_bytes: packed.len() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::truth::{Behind, Origin};

    fn record(time: Seconds) -> Record {
        Record {
            account: "111111111111".into(),
            region: "eu-west-1",
            time,
            id: time.to_string(),
            json: format!("{{\"eventID\":\"{time}\"}}"),
            behind: Behind::own(Origin::outside("AWSService", "ec2.amazonaws.com")),
        }
    }

    #[test]
    fn files_are_of_even_size_and_repeats_lie_in_another_file() {
        let records: Vec<Record> = (0..100).map(record).collect();
        let layout = Layout { organization: None, per_file: 40, repeats: 10_000 };
        let out = tempfile::tempdir().expect("a folder");
        let tally = deliver(&records, layout, &mut Dice::new(1, 1), out.path()).expect("delivery");
        assert_eq!(tally.files, 3);
        assert_eq!(tally.records, 100 + 34 + 34);
    }
}
