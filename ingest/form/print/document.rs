//! A PDF file written from front to back: objects go out as they are made, and only their offsets
//! are kept, in a temporary file.

use std::io::{Read, Seek, SeekFrom, Write};

use pdf_writer::{Chunk, Ref};

use super::PrintError;

/// Offsets stay in memory up to this, then go to a file without a name.
const OFFSETS_IN_MEMORY: usize = 1 << 20;
/// A cross-reference table counts ten decimal digits.
const MAX_OFFSET: u64 = 9_999_999_999;

pub(super) struct Document<W: Write> {
    out: W,
    position: u64,
    objects: i32,
    /// Lines of the cross-reference table.
    offsets: tempfile::SpooledTempFile,
}

impl<W: Write> Document<W> {
    pub fn begin(out: W) -> Result<Self, PrintError> {
        let offsets = tempfile::spooled_tempfile(OFFSETS_IN_MEMORY);
        let mut document = Self { out, position: 0, objects: 0, offsets };
        // The second line tells programs that the file is binary.
        document.write(b"%PDF-1.7\n%\xe5\x8f\x97\xe4\n")?;
        Ok(document)
    }

    /// The number that the next object must have.
    pub fn next(&self) -> Ref {
        Ref::new(self.objects + 1)
    }

    /// Writes a chunk that holds one object, the one that [`Self::next`] named.
    pub fn object(&mut self, chunk: &Chunk) -> Result<(), PrintError> {
        debug_assert_eq!(chunk.refs().collect::<Vec<_>>(), [self.next()]);
        if self.position > MAX_OFFSET {
            return Err(PrintError::TooLarge);
        }
        writeln!(self.offsets, "{:010} 00000 n ", self.position).map_err(PrintError::Offsets)?;
        self.objects += 1;
        self.write(chunk.as_bytes())
    }

    /// Writes the cross-reference table and hands the output back, flushed.
    pub fn finish(mut self, catalog: Ref, info: Ref) -> Result<W, PrintError> {
        let table = self.position;
        let size = self.objects + 1;
        self.write(format!("xref\n0 {size}\n0000000000 65535 f \n").as_bytes())?;
        self.offsets.seek(SeekFrom::Start(0)).map_err(PrintError::Offsets)?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = self.offsets.read(&mut buffer).map_err(PrintError::Offsets)?;
            if count == 0 {
                break;
            }
            self.write(&buffer[..count])?;
        }
        let (root, info) = (catalog.get(), info.get());
        let trailer =
            format!("trailer\n<</Size {size}/Root {root} 0 R/Info {info} 0 R>>\nstartxref\n{table}\n%%EOF\n");
        self.write(trailer.as_bytes())?;
        self.out.flush().map_err(PrintError::Output)?;
        Ok(self.out)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PrintError> {
        self.out.write_all(bytes).map_err(PrintError::Output)?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}
