//! [`File`]: std's, as far as a disk's file has what a system's has.
//!
//! Invariant: the cursor is read and moved on in the step that does the reading or writing, not before or after the time that it takes. So
//! those who share a file do not get into each other's way.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom, Write};

use parking_lot::Mutex;

use super::handle::Disk;
use super::names::FileId;
use super::state::{Kind, Life};

/// An open file of a [`Disk`], to read and write: by position, and like [`std::fs::File`] at a cursor of its own. The names are those of
/// [`std::os::unix::fs::FileExt`].
///
/// It is open in one life of its machine: what is done with it after a crash is an error, `ESTALE`.
///
/// ```
/// use std::io::{Read, Seek, Write};
/// use fibra_sim::disk::Disk;
///
/// let mut file = Disk::new("bank").create("notes")?;
/// file.write_all(b"two lines\nof text\n")?;
/// file.write_all_at(b"2", 0)?;
/// file.sync_all()?;
/// let mut text = String::new();
/// file.rewind()?;
/// file.read_to_string(&mut text)?;
/// assert_eq!(text, "2wo lines\nof text\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct File {
    disk: Disk,
    file: (FileId, Life),
    cursor: Mutex<u64>,
}

/// The errors of all that returns [`io::Result`] are those of the [disk](Disk#errors).
impl File {
    pub(super) fn new(disk: Disk, file: (FileId, Life)) -> Self {
        Self { disk, file, cursor: Mutex::new(0) }
    }

    /// How long it is, in bytes.
    pub fn len(&self) -> io::Result<u64> {
        self.disk.operate(Kind::Look, |state| state.len(self.file))
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts it off, or adds zeros.
    pub fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.operate(Kind::Write, |state| state.set_len(self.file, len))
    }

    /// Reads at `offset`; how much there was.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.disk.operate(Kind::Read, |state| state.read(self.file, offset, buf))
    }

    /// Reads all of `buf` at `offset`; `UnexpectedEof` beyond the end.
    pub fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        match self.read_at(buf, offset)? {
            read if read == buf.len() => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Writes at `offset`; how much has been written.
    pub fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        self.disk.operate(Kind::Write, |state| state.write(self.file, offset, data))
    }

    /// Writes all of `data` at `offset`, by as many writes as it takes.
    pub fn write_all_at(&self, mut data: &[u8], mut offset: u64) -> io::Result<()> {
        while !data.is_empty() {
            let written = self.write_at(data, offset)?;
            data = &data[written..];
            offset += written as u64;
        }
        Ok(())
    }

    /// Makes durable what was written, and the length.
    pub fn sync_all(&self) -> io::Result<()> {
        self.disk.operate(Kind::Sync, |state| state.sync(self.file))
    }

    /// As [`sync_all`](File::sync_all): a simulated file has no metadata that could be left out.
    pub fn sync_data(&self) -> io::Result<()> {
        self.sync_all()
    }
}

impl Read for &File {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.disk.operate(Kind::Read, |state| {
            let mut cursor = self.cursor.lock();
            let read = state.read(self.file, *cursor, buf)?;
            *cursor += read as u64;
            Ok(read)
        })
    }
}

impl Write for &File {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.disk.operate(Kind::Write, |state| {
            let mut cursor = self.cursor.lock();
            let written = state.write(self.file, *cursor, data)?;
            *cursor += written as u64;
            Ok(written)
        })
    }

    /// Nothing: what was written is written, if not synced.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for &File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(by) => (*self.cursor.lock(), by),
            SeekFrom::End(by) => (self.len()?, by),
        };
        let at = base.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?;
        *self.cursor.lock() = at;
        Ok(at)
    }
}

impl Read for File {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }
}

impl Write for File {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        (&*self).write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        (&*self).seek(to)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("disk", &self.disk).field("number", &self.file.0).finish_non_exhaustive()
    }
}
