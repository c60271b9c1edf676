//! Messages in memory and in files.

use postgate_proto::reply::Refusal;

use super::*;
use crate::content::CHUNK;

fn spool(memory: usize, limit: u64) -> Spool {
    Spool::new(Arc::new(SpoolSettings {
        memory,
        limit,
        directory: None,
    }))
}

fn all(content: &Content) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut chunks = content.chunks();
    while let Some(chunk) = chunks.next().unwrap() {
        assert!(chunk.len() <= CHUNK);
        octets.extend_from_slice(chunk);
    }
    octets
}

#[test]
fn content_equals_what_was_written() {
    let octets: Vec<u8> = (0..200_001_u32).map(|index| index as u8).collect();
    for (memory, in_memory) in [(octets.len(), true), (octets.len() - 1, false), (0, false)] {
        for cut in [7, 1000, octets.len()] {
            let mut spool = spool(memory, octets.len() as u64);
            for chunk in octets.chunks(cut) {
                spool.write(chunk).unwrap();
            }
            let content = spool.finish().unwrap();
            assert_eq!(content.as_slice().is_some(), in_memory);
            assert_eq!(content.len(), octets.len() as u64);
            assert!(all(&content) == octets, "memory {memory}, cut {cut}");
            assert!(spool.is_empty());
        }
    }
}

#[test]
fn reads_at_any_offset() {
    for memory in [0, 10] {
        let mut spool = spool(memory, 10);
        spool.write(b"0123456789").unwrap();
        let content = spool.finish().unwrap();
        let table: [(u64, usize, &[u8]); 6] = [
            (0, 10, b"0123456789"),
            (0, 20, b"0123456789"),
            (8, 5, b"89"),
            (3, 0, b""),
            (10, 5, b""),
            (u64::MAX, 5, b""),
        ];
        for (offset, length, expected) in table {
            let mut buffer = vec![0; length];
            let count = content.read_at(offset, &mut buffer).unwrap();
            assert_eq!(
                &buffer[..count],
                expected,
                "memory {memory}, offset {offset}"
            );
        }
    }
}

#[test]
fn a_message_beyond_the_limit_is_refused() {
    let mut spool = spool(4, 8);
    spool.write(b"12345678").unwrap();
    let error = spool.write(b"9").unwrap_err();
    assert!(matches!(error, SpoolError::TooLarge));
    assert_eq!(error.refusal().reply().code(), 552);
    spool.clear();
    spool.write(b"1234").unwrap();
    assert_eq!(spool.finish().unwrap().as_slice(), Some(b"1234".as_slice()));
}

#[test]
fn memory_is_reused_for_the_next_message() {
    let mut spool = spool(1024, 1024);
    spool.write(&[b'x'; 1000]).unwrap();
    let content = spool.finish().unwrap();
    let address = content.as_slice().unwrap().as_ptr();
    spool.recycle(content);
    assert!(spool.is_empty());
    spool.write(b"next").unwrap();
    let content = spool.finish().unwrap();
    assert_eq!(content.as_slice(), Some(b"next".as_slice()));
    assert_eq!(content.as_slice().unwrap().as_ptr(), address);

    let shared = content.clone();
    spool.recycle(content);
    spool.write(b"other").unwrap();
    assert_eq!(shared.as_slice(), Some(b"next".as_slice()));
}

#[test]
fn a_missing_directory_is_an_io_error() {
    let directory = tempfile::tempdir().unwrap().path().join("missing");
    let settings = SpoolSettings {
        memory: 0,
        directory: Some(directory),
        ..SpoolSettings::default()
    };
    let error = Spool::new(Arc::new(settings)).write(b"x").unwrap_err();
    assert!(matches!(error, SpoolError::Io(_)));
    assert_eq!(error.refusal(), Refusal::TRY_LATER);
}

/// Writing to `/dev/full` fails with ENOSPC, as on a full disk.
#[test]
fn a_full_disk_is_a_temporary_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut spool = spool(0, 1024);
    spool.buffer = Buffer::File(BufWriter::new(full));
    spool.write(b"x").unwrap();
    let error = spool.finish().unwrap_err();
    assert!(matches!(error, SpoolError::Full(_)));
    assert_eq!(error.refusal().reply().code(), 452);
}
