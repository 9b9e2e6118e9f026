//! Criterion benchmarks of the two parts that are ours: decoding records, linking sessions.
//!
//!     cargo bench --bench parts

use criterion::{Criterion, Throughput};
use roletrail::decode::raw::RawRecord;
use roletrail::decode::{Decoder, Item, Limits, RecordStream};
use roletrail::generate::{self, WorldOptions};
use roletrail::intake::{Options, Run, Silent, seen::Seen};
use roletrail::linking::link_in_memory;
use roletrail::sessions::Facts;
use roletrail::sessions::packed::PackedFacts;
use roletrail::sources::discover;

#[allow(dead_code, reason = "tests/benches.rs calls run by itself")]
fn main() {
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    run(&mut criterion, 20_000);
    criterion.final_summary();
}

#[derive(Default)]
struct Nowhere(std::sync::Mutex<Facts>);

impl roletrail::intake::Sink for Nowhere {
    fn rejects(
        &self,
        _: Vec<roletrail::intake::books::FileReject>,
    ) -> roletrail::error::Result<()> {
        Ok(())
    }

    fn keep(&self, facts: PackedFacts) -> roletrail::error::Result<()> {
        self.0.lock().unwrap().merge(facts.unpacked()?);
        Ok(())
    }

    fn begin(&self, _: i32, _: usize) -> roletrail::error::Result<Box<dyn Run + '_>> {
        Ok(Box::new(Nowhere::default()))
    }
}

impl Run for Nowhere {
    fn write(&mut self, _: arrow::array::RecordBatch) -> roletrail::error::Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> roletrail::error::Result<()> {
        Ok(())
    }
}

pub fn run(c: &mut Criterion, events: u64) {
    let dir = tempfile::tempdir().unwrap();
    let options = WorldOptions { events, accounts: 5, days: 1, seed: 1, losses: false };
    generate::world(&options, dir.path()).unwrap();
    let root = dir.path().join("AWSLogs").to_string_lossy().into_owned();
    let files = discover(&[root], &Default::default()).unwrap().files;

    let mut texts = Vec::new();
    for file in &files {
        let opened = roletrail::sources::open(file, u64::MAX - 1).unwrap();
        let mut stream = RecordStream::new(opened, Limits::default());
        while let Some(Item::Record(_, _, text)) = stream.next() {
            texts.push(text.to_owned());
        }
    }
    let bytes = texts.iter().map(String::len).sum::<usize>() as u64;
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("records to events", |b| {
        b.iter(|| {
            let mut decoder = Decoder::default();
            for text in &texts {
                let record: RawRecord = serde_json::from_str(text).unwrap();
                std::hint::black_box(decoder.event(&record).unwrap());
            }
        });
    });
    group.finish();

    let sink = Nowhere::default();
    roletrail::intake::run(&files, Seen::nothing(), &Options::default(), &sink, &Silent).unwrap();
    let facts = sink.0.into_inner().unwrap();
    let mut group = c.benchmark_group("link");
    group.throughput(Throughput::Elements(facts.credentials.len() as u64));
    group.bench_function("credentials to origins", |b| b.iter(|| link_in_memory(&facts)));
    group.finish();
}
