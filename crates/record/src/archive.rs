//! Archives with one spelling: the same files are the same bytes, whoever writes them and when.
//!
//! ```text
//! PK.. a.json {..} PK.. b/0.txt ..     stored, sorted by name, all dates 1980-01-01, modes 0644
//! ```
//! [`read`] takes nothing else, so that no byte of an archive is one that nothing vouches for.
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write as _};
use zip::result::{ZipError, ZipResult};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// Bytes that are no such archive: which file, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Broken {
    /// The file in which it is, or `archive`.
    pub(crate) file: String,
    /// What was found.
    pub(crate) found: String,
    /// What would hold.
    pub(crate) allowed: &'static str,
}

/// The archive of these files.
pub(crate) fn write<N: AsRef<str>>(files: &BTreeMap<N, Vec<u8>>) -> ZipResult<Vec<u8>> {
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::DEFAULT)
        .system(zip::System::Unix)
        .unix_permissions(0o644);
    for (name, bytes) in files {
        out.start_file(name.as_ref(), options)?;
        out.write_all(bytes)?;
    }
    Ok(out.finish()?.into_inner())
}

/// The files of an archive that is exactly what [`write`] makes of them.
pub(crate) fn read(bytes: &[u8], bytes_max: usize) -> Result<BTreeMap<String, Vec<u8>>, Broken> {
    let broken = |file: &str, found: String, allowed| Broken { file: file.to_owned(), found, allowed };
    let zip = |error: ZipError| broken("archive", error.to_string(), "a zip archive");
    if bytes.len() > bytes_max {
        return Err(broken("archive", format!("{} bytes", bytes.len()), "fewer bytes"));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(zip)?;
    let (mut files, mut starts) = (BTreeMap::new(), Vec::new());
    for i in 0..archive.len() {
        let named = archive.name_for_index(i).and_then(Result::ok);
        let name = named.map_or("archive".to_owned(), |name| name.into_owned());
        let mut file = archive.by_index(i).map_err(|error| broken(&name, error.to_string(), "a file that is whole"))?;
        starts.push((file.header_start(), name.clone()));
        let mut content = Vec::new();
        // Stored files are no longer than the archive.
        let read = Read::take(&mut file, bytes.len() as u64).read_to_end(&mut content);
        read.map_err(|error| broken(&name, error.to_string(), "files that are stored whole"))?;
        if files.insert(name.clone(), content).is_some() {
            return Err(broken(&name, "it is there twice".to_owned(), "each file once"));
        }
    }
    let again = write(&files).map_err(zip)?;
    if again != bytes {
        let at = again.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        starts.sort_unstable();
        let within = starts.iter().rev().find(|(start, _)| *start <= at as u64);
        let name = within.map_or("archive", |(_, name)| name);
        return Err(broken(
            name,
            format!("other bytes from byte {at} on"),
            "the one spelling of an archive of these files",
        ));
    }
    Ok(files)
}
