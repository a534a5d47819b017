//! A folder as one file: a tape archive that every system opens.
//!
//! Source: POSIX.1-2017, pax, "ustar Interchange Format".

use std::fs;
use std::io::{self, Read as _, Write};
use std::path::Path;

const BLOCK: usize = 512;

/// Writes every file below a folder, in the order of their names, under the folder's new name. Everything in
/// it is of nobody and of one moment, so that it says nothing of the machine.
pub(super) fn write_archive(folder: &Path, name: &str, seconds: u64, out: &mut impl Write) -> io::Result<()> {
    let mut files = Vec::new();
    collect(folder, name, &mut files)?;
    files.sort();
    for (name, path) in files {
        let file = fs::File::open(&path)?;
        let size = file.metadata()?.len();
        out.write_all(&header(&name, size, seconds)?)?;
        let copied = io::copy(&mut (&file).take(size), out)?;
        if copied != size {
            return Err(io::Error::other("a file became shorter while it was read"));
        }
        let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
        out.write_all(&[0; BLOCK][..(BLOCK - over) % BLOCK])?;
    }
    out.write_all(&[0; 2 * BLOCK])
}

fn collect(folder: &Path, name: &str, files: &mut Vec<(String, std::path::PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let own = entry.file_name().into_string().map_err(|_| io::Error::other("a file's name is no text"))?;
        let name = format!("{name}/{own}");
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &name, files)?;
        } else {
            files.push((name, entry.path()));
        }
    }
    Ok(())
}

fn header(name: &str, size: u64, seconds: u64) -> io::Result<[u8; BLOCK]> {
    let (prefix, name) = split(name).ok_or_else(|| io::Error::other("a file's name is too long for an archive"))?;
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, format!("{seconds:011o}\0").as_bytes());
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

/// The name as the header has it: a prefix of 155 bytes at the most and a name of 100.
fn split(name: &str) -> Option<(&str, &str)> {
    if name.len() <= 100 {
        return Some(("", name));
    }
    let cut = name.char_indices().filter(|(at, letter)| *letter == '/' && *at <= 155).map(|(at, _)| at);
    cut.map(|at| (&name[..at], &name[at + 1..])).find(|(_, rest)| rest.len() <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_holds_every_file_at_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("tile/entries/x001");
        fs::create_dir_all(&deep).expect("made");
        fs::write(deep.join("234"), vec![7; BLOCK + 1]).expect("written");
        fs::write(folder.path().join("checkpoint"), b"a note").expect("written");
        let mut bytes = Vec::new();
        write_archive(folder.path(), "porth-log", 1_790_000_000, &mut bytes).expect("written");
        assert_eq!(bytes.len(), BLOCK * (2 + 3 + 2));
        assert!(bytes.starts_with(b"porth-log/checkpoint\0"));
        assert_eq!(&bytes[BLOCK..BLOCK + 6], b"a note");
        assert!(bytes[2 * BLOCK..].starts_with(b"porth-log/tile/entries/x001/234\0"));
        assert_eq!(&bytes[2 * BLOCK + 124..2 * BLOCK + 135], format!("{:011o}", BLOCK + 1).as_bytes());
    }

    #[test]
    fn long_names_are_split_at_a_folder_or_refused() {
        let long = format!("{}/{}", "a".repeat(90), "b".repeat(60));
        assert_eq!(split(&long), Some((&long[..90], &long[91..])));
        assert_eq!(split(&"a".repeat(101)), None);
        assert_eq!(split("short"), Some(("", "short")));
    }
}
