//! The whole ingest and its parts, beside `gunzip` of the same files on the same number of threads.
//!
//!     cargo bench --bench ingest                      # a million events, 20 accounts, 3 days
//!     cargo bench --bench ingest -- --events 20000    # a short form that shows that it works
//!
//! The logs are generated once below `target/bench-logs`. Whole-process figures come from the
//! program itself, started as users start it; parts run one after the other on one thread.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use roletrail::decode::{Decoder, Item, Limits, RecordStream};
use roletrail::events::{EVENTS, EventsBuilder};
use roletrail::generate::{self, WorldOptions};
use roletrail::intake::{Options, Run, Silent, Sink};
use roletrail::linking::link_in_memory;
use roletrail::sessions::Facts;
use roletrail::sessions::packed::PackedFacts;
use roletrail::sources::{LogFile, discover, open};
use roletrail::store::Transaction;

#[allow(dead_code, reason = "tests/benches.rs calls run by itself")]
fn main() {
    let mut args = std::env::args().skip_while(|arg| arg != "--events").skip(1);
    let events: u64 = args.next().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    run(events, &Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-logs"));
}

/// Measures everything once the logs are there, in a folder below `dir`.
pub fn run(events: u64, dir: &Path) {
    let logs = logs(events, dir);
    let files =
        discover(&[logs.join("AWSLogs").to_string_lossy().into_owned()], &Default::default())
            .unwrap()
            .files;
    let threads = std::thread::available_parallelism().unwrap().get();
    let json = inflate(&files);
    println!("{events} events, {} files, {:.0} MB of JSON, {threads} threads", files.len(), json.1);

    println!("\nwhole process                   wall s   events/s   MB/s JSON   peak MiB");
    for _ in 0..3 {
        let by_file = gunzip_by_file(&files, threads);
        report("gunzip, one process a file", by_file, events, json.1, None);
        let by_thread = gunzip(&files, threads);
        report("gunzip, one process a thread", by_thread, events, json.1, None);
        let (time, peak) = ingest(&logs, events);
        report("roletrail ingest", time, events, json.1, Some(peak));
        let ratio = |gunzip: Duration| time.as_secs_f64() / gunzip.as_secs_f64();
        println!("ratio to gunzip                 {:6.2} {:6.2}", ratio(by_file), ratio(by_thread));
    }

    println!("\nparts, one thread               wall s   events/s   MB/s JSON");
    report("inflate and hash", json.0, events, json.1, None);
    let parse = timed(|| decode(&files, false));
    report("inflate, parse", parse, events, json.1, None);
    let build = timed(|| decode(&files, true));
    report("inflate, parse, build columns", build, events, json.1, None);
    link_and_write(&files, events, json.1);
}

fn logs(events: u64, dir: &Path) -> PathBuf {
    let dir = dir.join(events.to_string());
    if !dir.join("truth.csv").exists() {
        let _ = std::fs::remove_dir_all(&dir);
        let options = WorldOptions { events, accounts: 20, days: 3, seed: 1, losses: false };
        generate::world(&options, &dir).unwrap();
    }
    dir
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn report(what: &str, time: Duration, events: u64, megabytes: f64, peak: Option<u64>) {
    let seconds = time.as_secs_f64();
    let (rate, speed) = (events as f64 / seconds, megabytes / seconds);
    let peak = peak.map(|p| format!("{p:10}")).unwrap_or_default();
    println!("{what:30} {seconds:7.2} {rate:10.0} {speed:11.0} {peak}");
}

/// GNU gunzip of all files to nowhere, as many processes at once as there are threads.
fn gunzip(files: &[LogFile], threads: usize) -> Duration {
    let share = files.len().div_ceil(threads);
    timed(|| {
        let children: Vec<_> = files
            .chunks(share)
            .map(|files| {
                let mut command = Command::new("gunzip");
                command.arg("-c").args(files.iter().map(|f| &f.path)).stdout(Stdio::null());
                command.spawn().unwrap()
            })
            .collect();
        children.into_iter().for_each(|mut child| assert!(child.wait().unwrap().success()));
    })
}

/// GNU gunzip as a shell user runs it: a process for each file, as many at once as there are
/// threads.
fn gunzip_by_file(files: &[LogFile], threads: usize) -> Duration {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut command = Command::new("gunzip");
            command.arg("-c").arg(&file.path).stdout(Stdio::null());
            assert!(command.status().unwrap().success());
        }
    };
    timed(|| std::thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(work))))
}

/// The program itself; it reports its own peak memory, in MiB.
fn ingest(logs: &Path, events: u64) -> (Duration, u64) {
    let store = tempfile::tempdir_in(logs).unwrap();
    let mut output = None;
    let time = timed(|| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
        command.arg("--store").arg(store.path().join("store"));
        output = Some(command.arg("ingest").arg(logs.join("AWSLogs")).output().unwrap());
    });
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let books = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(books.contains(&format!("= {events} kept")), "{books}");
    let (_, peak) = said.rsplit_once("peak memory ").expect("the program says its peak memory");
    (time, peak.split(' ').next().unwrap().parse().unwrap())
}

fn inflate(files: &[LogFile]) -> (Duration, f64) {
    let mut bytes = 0;
    let time = timed(|| {
        let mut buffer = vec![0; 256 << 10];
        for file in files {
            let mut opened = open(file, u64::MAX - 1).unwrap();
            loop {
                match opened.read(&mut buffer).unwrap() {
                    0 => break,
                    n => bytes += n,
                }
            }
            opened.finish().unwrap();
        }
    });
    (time, bytes as f64 / 1e6)
}

fn decode(files: &[LogFile], build: bool) {
    let mut decoder = Decoder::default();
    let mut columns = EventsBuilder::default();
    for file in files {
        let opened = open(file, u64::MAX - 1).unwrap();
        let mut stream = RecordStream::new(opened, Limits::default());
        while let Some(item) = stream.next() {
            let Item::Record(place, record, _) = item else { panic!("{item:?}") };
            let event = decoder.event(&record).unwrap();
            if build {
                columns.push(&event, "file", place.number as i64);
            }
        }
        if columns.rows() >= 8192 {
            std::hint::black_box(columns.finish().unwrap());
        }
    }
}

/// Keeps sorted batches as the store would get them.
#[derive(Default)]
struct Kept {
    batches: std::sync::Mutex<Vec<(i32, Vec<arrow::array::RecordBatch>)>>,
    facts: std::sync::Mutex<Facts>,
}

impl Sink for Kept {
    fn rejects(
        &self,
        rejects: Vec<roletrail::intake::books::FileReject>,
    ) -> roletrail::error::Result<()> {
        panic!("{rejects:?}")
    }

    fn keep(&self, facts: PackedFacts) -> roletrail::error::Result<()> {
        self.facts.lock().unwrap().merge(facts.unpacked()?);
        Ok(())
    }

    fn begin(&self, day: i32, _: usize) -> roletrail::error::Result<Box<dyn Run + '_>> {
        Ok(Box::new(KeptRun { kept: self, day, batches: Vec::new() }))
    }
}

struct KeptRun<'k> {
    kept: &'k Kept,
    day: i32,
    batches: Vec<arrow::array::RecordBatch>,
}

impl Run for KeptRun<'_> {
    fn write(&mut self, batch: arrow::array::RecordBatch) -> roletrail::error::Result<()> {
        self.batches.push(batch);
        Ok(())
    }

    fn finish(self: Box<Self>) -> roletrail::error::Result<()> {
        self.kept.batches.lock().unwrap().push((self.day, self.batches));
        Ok(())
    }
}

fn link_and_write(files: &[LogFile], events: u64, megabytes: f64) {
    let kept = Kept::default();
    let options = Options { threads: 1, ..Options::default() };
    let seen = roletrail::intake::seen::Seen::nothing();
    let all = timed(|| _ = roletrail::intake::run(files, seen, &options, &kept, &Silent).unwrap());
    report("all up to sorted columns", all, events, megabytes, None);
    let facts = std::mem::take(&mut *kept.facts.lock().unwrap());
    let linking = timed(|| _ = std::hint::black_box(link_in_memory(&facts).unwrap()));
    report(
        &format!("link {} credentials", facts.credentials.len()),
        linking,
        events,
        megabytes,
        None,
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let tx = runtime.block_on(Transaction::begin(dir.path().join("store"))).unwrap();
    let write = timed(|| {
        for (day, batches) in kept.batches.lock().unwrap().iter() {
            let day = roletrail::model::time::format_date(*day);
            tx.write_file(&EVENTS, Some(&day), batches).unwrap();
        }
    });
    report("write Parquet", write, events, megabytes, None);
}
