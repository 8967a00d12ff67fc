//! What a disk has done, for tests that want to know what they have tested.

/// Counts since the disk was made. See [`Disk::statistics`](super::Disk::statistics).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Reads that succeeded.
    pub reads: u64,
    /// Writes, and changes of length, that succeeded.
    pub writes: u64,
    /// Syncs that succeeded.
    pub syncs: u64,
    /// Bytes of those reads.
    pub bytes_read: u64,
    /// Bytes of those writes.
    pub bytes_written: u64,
    /// Reads that failed.
    pub read_errors: u64,
    /// Writes that failed by a fault.
    pub write_errors: u64,
    /// Syncs that failed.
    pub sync_errors: u64,
    /// Writes for which there was no room.
    pub full: u64,
    /// Bits that flipped.
    pub rotten: u64,
    /// Crashes that were settled.
    pub crashes: u64,
    /// Changes that were not synced at a crash, and of which everything stayed that no later one replaced.
    pub kept: u64,
    /// Changes that were lost at a crash.
    pub lost: u64,
    /// Changes that stayed in part.
    pub torn: u64,
    /// Crashes after which a change was there, and one before it was not.
    pub reordered: u64,
    /// A hash over all operations and what came of them, the same on each rerun.
    pub hash: u64,
}
