//! How much memory statements may use, and what happens beyond.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, GreedyMemoryPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionConfig;

use crate::error::Result as OurResult;

/// Share of the memory that is kept for the queues between operators.
const QUEUES: usize = 8;

/// The first part of the name under which such a queue asks for memory.
const QUEUE: &str = "RepartitionExec[";

/// Bounded memory, and files beyond it.
///
/// # Errors
/// The engine's.
pub(super) fn bounded(bytes: usize, config: &mut SessionConfig) -> OurResult<Arc<RuntimeEnv>> {
    // Where a queue goes to disk while two tasks fill it, its reader may wait for the file of the one
    // while what it needs is in the other's, for ever (apache/datafusion issue 24883, in 55.2). With a
    // file for every batch, each is complete as soon as it is there.
    config.options_mut().set("datafusion.execution.max_spill_file_size_bytes", "1")?;
    Ok(RuntimeEnvBuilder::new().with_memory_pool(Arc::new(Memory::new(bytes))).build_arc()?)
}

/// Memory shared out fairly, with a part of its own for queues: they are short, and without memory of
/// their own every batch in them would go to disk as soon as a join has taken the rest.
#[derive(Debug)]
struct Memory {
    work: FairSpillPool,
    queues: GreedyMemoryPool,
}

impl Memory {
    fn new(bytes: usize) -> Memory {
        let queues = bytes / QUEUES;
        Memory { work: FairSpillPool::new(bytes - queues), queues: GreedyMemoryPool::new(queues) }
    }

    fn of(&self, consumer: &MemoryConsumer) -> &dyn MemoryPool {
        if consumer.name().starts_with(QUEUE) { &self.queues } else { &self.work }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}, queues {}", self.work, self.queues)
    }
}

impl MemoryPool for Memory {
    fn name(&self) -> &str {
        "roletrail"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.of(consumer).register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.of(consumer).unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.of(reservation.consumer()).grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.of(reservation.consumer()).shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.of(reservation.consumer()).try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.work.reserved() + self.queues.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        match (self.work.memory_limit(), self.queues.memory_limit()) {
            (MemoryLimit::Finite(work), MemoryLimit::Finite(queues)) => {
                MemoryLimit::Finite(work + queues)
            }
            (other, _) => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use arrow::array::{Int64Array, RecordBatch, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::catalog::MemTable;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// Counts long texts, all different, in two partitions: groups and queues exceed the memory.
    async fn groups(bytes: usize) -> Result<usize> {
        let mut config = SessionConfig::new().with_target_partitions(2).with_batch_size(256);
        let runtime = bounded(bytes, &mut config).unwrap();
        let context = SessionContext::new_with_config_rt(config, runtime);
        let fields =
            vec![Field::new("g", DataType::Int64, true), Field::new("t", DataType::Utf8, true)];
        let schema = Arc::new(Schema::new(fields));
        let batch = |from: i64| {
            let groups = Int64Array::from_iter_values((from..from + 256).map(|i| i % 7));
            let texts = (from..from + 256).map(|i| format!("{i:0>200}"));
            let texts = StringArray::from_iter_values(texts);
            RecordBatch::try_new(schema.clone(), vec![Arc::new(groups), Arc::new(texts)]).unwrap()
        };
        let part = |from: i64| (from..from + 80).map(|i| batch(i * 256)).collect::<Vec<_>>();
        let table = MemTable::try_new(schema.clone(), vec![part(0), part(80)])?;
        context.register_table("t", Arc::new(table))?;
        let statement = "SELECT g, count(DISTINCT t) FROM t GROUP BY g";
        context.sql(statement).await?.count().await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn queues_on_disk_come_to_an_end() {
        for attempt in 0..12 {
            let rows = tokio::time::timeout(Duration::from_secs(60), groups(400_000)).await;
            match rows.unwrap_or_else(|_| panic!("attempt {attempt} never ends")) {
                Ok(rows) => assert_eq!(rows, 7),
                // So little memory may not be enough, but that is said.
                Err(error) => assert!(error.to_string().contains("Resources exhausted"), "{error}"),
            }
        }
    }
}
