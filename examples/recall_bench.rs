//! Speaks the recall benchmark's JSON lines over an index that is in memory only.

use agent::recall::bench::{BenchError, serve};
use agent::recall::index::Index;
use agent::recall::shelf::VolatileShelf;

fn main() -> Result<(), BenchError> {
    serve(
        std::io::stdin().lock(),
        std::io::stdout().lock(),
        None,
        &mut |records| {
            let mut index = Index::open(Box::new(VolatileShelf::default()), 8)?;
            for (n, record) in records.iter().enumerate() {
                index.apply(n as u64 + 1, record);
            }
            Ok(index)
        },
    )
}
