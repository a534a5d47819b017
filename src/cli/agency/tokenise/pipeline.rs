//! Rows through all cores in the order of the file, with a fixed number of chunks in flight.
//!
//! A chunk goes round: the reader fills it, some worker works on it, the consumer takes it in its
//! turn and hands it back to be filled again. Memory does not grow with the file.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use csv::{ByteRecord, Reader};

use super::quotes::QuoteFault;

const ROWS_A_CHUNK: usize = 256;

/// Why the rows did not all go through.
#[derive(Debug, thiserror::Error)]
pub(super) enum PipelineError {
    #[error("the file cannot be read further: {0}")]
    Read(std::io::ErrorKind),
    #[error("input.csv: the file cannot be read as CSV near row {0}")]
    Csv(u64),
    #[error(
        "input.quotes: row {0}: a quotation mark is never closed, or stands inside a quoted cell without being \
         doubled; the rows after it would be lost"
    )]
    Quotes(u64),
    #[error("interrupted; nothing was written")]
    Interrupted,
    #[error("the result cannot be written: {0}")]
    Write(std::io::ErrorKind),
}

/// What went wrong when row `row` was to be read.
pub(super) fn read_error(error: csv::Error, row: u64) -> PipelineError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => match error.get_ref().and_then(|fault| fault.downcast_ref::<QuoteFault>()) {
            Some(fault) => PipelineError::Quotes(fault.0),
            None => PipelineError::Read(error.kind()),
        },
        _ => PipelineError::Csv(row),
    }
}

/// Rows on their way, with what a worker made of them.
pub(super) struct Chunk<O> {
    sequence: u64,
    rows: Vec<ByteRecord>,
    length: usize,
    /// The first row's number as a spreadsheet counts: the header is row 1.
    first_row: u64,
    /// How many bytes of the file are read with this chunk.
    pub(super) bytes_read: u64,
    pub(super) made: O,
}

impl<O: Default> Chunk<O> {
    fn new() -> Self {
        let rows = (0..ROWS_A_CHUNK).map(|_| ByteRecord::new()).collect();
        Self { sequence: 0, rows, length: 0, first_row: 0, bytes_read: 0, made: O::default() }
    }

    /// The rows with their numbers, and where to put what is made of them.
    pub(super) fn split(&mut self) -> (impl Iterator<Item = (u64, &ByteRecord)>, &mut O) {
        ((self.first_row..).zip(&self.rows[..self.length]), &mut self.made)
    }
}

/// Runs every row through a worker; `consume` sees the chunks in the file's order.
pub(super) fn run<R: Read + Send, O: Default + Send, W>(
    reader: Reader<R>,
    threads: usize,
    stop: &AtomicBool,
    worker: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, &mut Chunk<O>) + Sync,
    mut consume: impl FnMut(&mut Chunk<O>) -> Result<(), PipelineError>,
) -> Result<(), PipelineError> {
    let in_flight = threads * 4;
    let (give_back, free) = bounded(in_flight);
    let (fill, filled) = bounded(in_flight);
    let (finish, finished) = bounded::<Chunk<O>>(in_flight);
    for _ in 0..in_flight {
        give_back.send(Chunk::new()).expect("the channel has room for every chunk");
    }
    thread::scope(|scope| {
        for _ in 0..threads {
            let (filled, finish, worker, work) = (filled.clone(), finish.clone(), &worker, &work);
            scope.spawn(move || {
                let mut state = worker();
                for mut chunk in filled {
                    work(&mut state, &mut chunk);
                    if finish.send(chunk).is_err() {
                        break; // the consumer gave up
                    }
                }
            });
        }
        drop((filled, finish));
        let reading = scope.spawn(move || read(reader, &free, &fill, stop));
        let consumed = in_order(finished, &give_back, &mut consume);
        drop(give_back); // a reader that waits for a free chunk must not wait for ever
        let read = reading.join().expect("the reader does not panic");
        consumed.and(read)
    })
}

fn in_order<O: Default>(
    finished: Receiver<Chunk<O>>,
    give_back: &Sender<Chunk<O>>,
    consume: &mut impl FnMut(&mut Chunk<O>) -> Result<(), PipelineError>,
) -> Result<(), PipelineError> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for chunk in finished {
        early.insert(chunk.sequence, chunk);
        while let Some(mut chunk) = early.remove(&next) {
            next += 1;
            consume(&mut chunk)?;
            let _ = give_back.send(chunk); // the reader may have come to the end
        }
    }
    Ok(())
}

fn read<R: Read, O: Default>(
    mut reader: Reader<R>,
    free: &Receiver<Chunk<O>>,
    fill: &Sender<Chunk<O>>,
    stop: &AtomicBool,
) -> Result<(), PipelineError> {
    let mut row = 2;
    for sequence in 0.. {
        if stop.load(Ordering::Relaxed) {
            return Err(PipelineError::Interrupted);
        }
        let Ok(mut chunk) = free.recv() else { return Ok(()) };
        chunk.sequence = sequence;
        chunk.first_row = row;
        chunk.length = 0;
        let mut is_end = false;
        for record in &mut chunk.rows {
            let more = reader.read_byte_record(record).map_err(|error| read_error(error, row))?;
            if !more {
                is_end = true;
                break;
            }
            chunk.length += 1;
            row += 1;
        }
        chunk.bytes_read = reader.position().byte();
        if chunk.length > 0 && fill.send(chunk).is_err() || is_end {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Seek as _, Write as _};

    use super::*;

    fn file(rows: usize) -> Reader<File> {
        let mut file = tempfile::tempfile().expect("a file");
        let text: String = std::iter::once("n\n".to_owned()).chain((0..rows).map(|n| format!("{n}\n"))).collect();
        file.write_all(text.as_bytes()).and_then(|()| file.rewind()).expect("written");
        Reader::from_reader(file)
    }

    fn numbers(rows: usize, threads: usize) -> Vec<(u64, String)> {
        let mut seen = Vec::new();
        let work = |(): &mut (), chunk: &mut Chunk<Vec<(u64, String)>>| {
            let (rows, made) = chunk.split();
            made.extend(rows.map(|(row, record)| (row, String::from_utf8_lossy(&record[0]).into_owned())));
            if made.len().is_multiple_of(3) {
                thread::yield_now();
            }
        };
        let consume = |chunk: &mut Chunk<Vec<(u64, String)>>| {
            seen.append(&mut chunk.made);
            Ok(())
        };
        run(file(rows), threads, &AtomicBool::new(false), || (), work, consume).expect("reads");
        seen
    }

    #[test]
    fn every_row_comes_once_and_in_order_whatever_the_number_of_threads() {
        for rows in [0, 1, ROWS_A_CHUNK, 10 * ROWS_A_CHUNK + 7] {
            for threads in [1, 4] {
                let expected: Vec<_> = (0..rows).map(|n| (n as u64 + 2, n.to_string())).collect();
                assert_eq!(numbers(rows, threads), expected, "{rows} rows, {threads} threads");
            }
        }
    }

    #[test]
    fn a_consumer_that_fails_ends_the_run_and_so_does_an_interrupt() {
        let failed = run(
            file(50 * ROWS_A_CHUNK),
            2,
            &AtomicBool::new(false),
            || (),
            |(), _: &mut Chunk<()>| {},
            |_| Err(PipelineError::Write(std::io::ErrorKind::StorageFull)),
        );
        assert!(matches!(failed, Err(PipelineError::Write(std::io::ErrorKind::StorageFull))));
        let stopped = run(file(9), 1, &AtomicBool::new(true), || (), |(), _: &mut Chunk<()>| {}, |_| Ok(()));
        assert!(matches!(stopped, Err(PipelineError::Interrupted)));
    }
}
