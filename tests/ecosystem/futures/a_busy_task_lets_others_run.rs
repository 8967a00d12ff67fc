//! A task whose stream is always ready yields its worker from time to time.

use std::cell::Cell;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Failure, block_on, join, on_one_worker, pair};

#[test]
fn while_it_never_waits() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        let ran = Rc::new(Cell::new(false));
        let other = fibra::spawn_local({
            let ran = Rc::clone(&ran);
            move || ran.set(true)
        });
        block_on(async {
            for _ in 0..1000 {
                // What it writes can be read at once.
                far.write_all(&[1]).await?;
                near.read_u8().await?;
                if ran.get() {
                    break;
                }
            }
            Ok::<_, Failure>(())
        })?;
        assert!(ran.get(), "a thousand operations, and nobody else has run");
        join(other);
        Ok(())
    })
}
