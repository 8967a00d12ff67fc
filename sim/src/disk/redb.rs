//! Files as [redb](https://docs.rs/redb)'s storage.
//!
//! redb has one writer here, which is the default: no locks of ranges. Its calls wait for nothing but the disk's latency; see
//! the [module](super) before giving it one.

use std::io;

use redb::StorageBackend;

use super::file::File;

/// ```
/// use fibra_sim::disk::Disk;
/// use redb::{Builder, Database, ReadableDatabase, TableDefinition};
///
/// const ACCOUNTS: TableDefinition<'_, &str, u64> = TableDefinition::new("accounts");
///
/// fn balance(database: &Database) -> Result<u64, redb::Error> {
///     let accounts = database.begin_read()?.open_table(ACCOUNTS)?;
///     Ok(accounts.get("alice")?.map_or(0, |cents| cents.value()))
/// }
///
/// let disk = Disk::builder("bank").seed(7).build();
/// let database = Builder::new().create_with_backend(disk.create("bank.redb")?)?;
/// let deposit = database.begin_write()?;
/// deposit.open_table(ACCOUNTS)?.insert("alice", 100)?;
/// deposit.commit()?;
///
/// disk.restart(); // as by pulling the plug
/// drop(database);
/// let database = Builder::new().create_with_backend(disk.open("bank.redb")?)?;
/// assert_eq!(balance(&database)?, 100);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl StorageBackend for File {
    fn len(&self) -> io::Result<u64> {
        File::len(self)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.write_all_at(data, offset)
    }
}
