//! Large worlds: history is cut into stretches of bounded size, each played and delivered on its
//! own, so that memory stays small and threads can share the work without changing a byte.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cast::Cast;
use super::clock::{DAY, FIRST_DAY};
use super::delivery::{Layout, Tally, check_fresh, deliver};
use super::desk::REGIONS;
use super::kinds::{KINDS, LONGEST, identity_center, user_key};
use super::stage::Stage;
use super::truth;
use super::{Summary, WorldOptions};
use crate::error::{Error, Result};

/// Records a file should hold on the average of a large world.
const PER_FILE: u64 = 330;
/// More threads would hold more stretches in memory than they save time.
const MOST_THREADS: usize = 4;

/// What one stretch leaves behind besides its files.
struct Stretch {
    truth: String,
    tally: Tally,
    events: u64,
    resolvable: u64,
}

/// Plays a world into `out`.
pub fn play(options: &WorldOptions, out: &Path) -> Result<Summary> {
    check(options)?;
    check_fresh(out)?;
    let cast = Cast::new(options.accounts, options.seed);
    let plan = Plan::new(options);
    fs::create_dir_all(out).map_err(Error::io(out))?;
    let ledger = Mutex::new(Ledger::create(out)?);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let failed = std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= plan.stretches {
                    return Ok(());
                }
                let stretch = play_stretch(options, &plan, &cast, number, out)?;
                let mut ledger = ledger.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                ledger.enter(number, stretch)?;
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()?.err()).next()
    });
    match failed {
        Some(error) => Err(error),
        None => ledger.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).close(),
    }
}

fn check(options: &WorldOptions) -> Result<()> {
    if options.events == 0 || options.accounts == 0 || options.days == 0 {
        return Err(Error::usage("a world needs at least one event, one account and one day"));
    }
    Ok(())
}

/// How history is cut.
struct Plan {
    stretches: u64,
    events: u64,
    seconds: i64,
}

impl Plan {
    /// Stretches large enough to fill files, small enough for memory.
    fn new(options: &WorldOptions) -> Plan {
        let folders = u64::from(options.accounts) * REGIONS.len() as u64;
        let size = (folders * PER_FILE).clamp(20_000, 40_000);
        let stretches = options.events.div_ceil(size);
        Plan { stretches, events: options.events, seconds: i64::from(options.days) * DAY }
    }

    /// Events of one stretch; over all stretches they add up exactly.
    fn quota(&self, number: u64) -> usize {
        let share = self.events / self.stretches;
        (share + u64::from(number < self.events % self.stretches)) as usize
    }

    /// The stretch's first second and its length.
    fn window(&self, number: u64) -> (i64, i64) {
        let edge =
            |n: u64| (i128::from(self.seconds) * i128::from(n) / i128::from(self.stretches)) as i64;
        (FIRST_DAY + edge(number), (edge(number + 1) - edge(number)).max(1))
    }
}

fn play_stretch(
    options: &WorldOptions,
    plan: &Plan,
    cast: &Cast,
    number: u64,
    out: &Path,
) -> Result<Stretch> {
    let mut stage = Stage::new(options.seed, number + 1, options.losses);
    fill(&mut stage, cast, plan, number);
    let layout = Layout { organization: None, per_file: PER_FILE as usize, repeats: 40 };
    let tally = deliver(&stage.records, layout, &mut stage.dice, out)?;
    let mut truth = String::with_capacity(stage.records.len() * 128);
    for record in &stage.records {
        record.behind.write_line(&record.id, &mut truth);
    }
    let resolvable = stage.records.iter().filter(|record| record.behind.provable).count() as u64;
    Ok(Stretch { truth, tally, events: stage.records.len() as u64, resolvable })
}

/// Plays scenes until the stretch has its number of events.
fn fill(stage: &mut Stage, cast: &Cast, plan: &Plan, number: u64) {
    let (start, length) = plan.window(number);
    let quota = plan.quota(number);
    stage.now = start;
    if number == 0 {
        user_key::roll_call(stage, cast);
        identity_center::roll_call(stage, cast);
    }
    while stage.records.len() < quota {
        stage.now = start + stage.dice.between(0, length - 1);
        if stage.records.len() as u64 + LONGEST < quota as u64 {
            let before = stage.records.len() as u64;
            let kind = &KINDS[stage.dice.weighted(KINDS.iter().map(|kind| kind.weight))];
            (kind.play)(stage, cast);
            let records = stage.records.len() as u64 - before;
            debug_assert!(records <= LONGEST, "{} wrote {records} records", kind.name);
        } else {
            user_key::one_call(stage, cast);
        }
    }
}

/// Writes the truth in the order of the stretches, whichever thread finishes first.
struct Ledger {
    file: BufWriter<File>,
    path: std::path::PathBuf,
    next: u64,
    waiting: BTreeMap<u64, String>,
    summary: Summary,
}

impl Ledger {
    fn create(out: &Path) -> Result<Ledger> {
        let path = out.join("truth.csv");
        let mut file = BufWriter::new(File::create(&path).map_err(Error::io(&path))?);
        file.write_all(truth::HEADER.as_bytes()).map_err(Error::io(&path))?;
        let (waiting, summary) = (BTreeMap::new(), Summary::default());
        Ok(Ledger { file, path, next: 0, waiting, summary })
    }

    fn enter(&mut self, number: u64, stretch: Stretch) -> Result<()> {
        self.summary.events += stretch.events;
        self.summary.resolvable += stretch.resolvable;
        self.summary.delivered.add(stretch.tally);
        self.waiting.insert(number, stretch.truth);
        while let Some(truth) = self.waiting.remove(&self.next) {
            self.file.write_all(truth.as_bytes()).map_err(Error::io(&self.path))?;
            self.next += 1;
        }
        Ok(())
    }

    fn close(mut self) -> Result<Summary> {
        self.file.flush().map_err(Error::io(&self.path))?;
        Ok(self.summary)
    }
}
