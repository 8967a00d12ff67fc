//! What goes wrong with a disk by itself.

/// How probable it is that something goes wrong, from 0 to 1; by default nothing does. See [`Builder::faults`](super::Builder::faults).
///
/// ```
/// use fibra_sim::disk::{Disk, Faults};
///
/// let disk = Disk::builder("bank").faults(Faults { sync_errors: 1.0, ..Faults::default() }).build();
/// let file = disk.create("journal")?;
/// file.write_all_at(b"all is well", 0)?;
/// assert_eq!(file.sync_all().unwrap_err().raw_os_error(), Some(5)); // EIO
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// That a read fails, with `EIO`.
    pub read_errors: f64,
    /// That a write, or a change of length, fails, with `EIO`. Some of its bytes may have been written.
    pub write_errors: f64,
    /// That a sync fails, with `EIO`. What it was to sync is in doubt from then on: it may be lost in a crash even if a later sync succeeds,
    /// unless it is written again.
    pub sync_errors: f64,
    /// That a sync succeeds, and has synced nothing: a disk that lies about its cache.
    pub ignored_syncs: f64,
    /// That a bit flips among what is read, for good, as nobody notices.
    pub rot: f64,
    /// That a write takes less than it could: [`File::write_at`](super::File::write_at) returns how much.
    pub short_writes: f64,
    /// That the machine crashes in an operation that changes or syncs something: before it, or after it and before that is known.
    pub crashes: f64,
    /// That a sector which a crash leaves as it was last written is so only in its first bytes. Disks write sectors as a whole, so nothing
    /// needs to stand that; much does, by checksums.
    pub torn_sectors: f64,
}
