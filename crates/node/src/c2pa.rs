//! Whether a file carries a C2PA manifest ("content credentials"). That one is there is all that is said: it is neither
//! read nor verified, and it proves nothing here.
//!
//! ```text
//! JPEG   ff d8  ff eb <len> "JP" <instance> <packet>  <len> "jumb"  <len> "jumd" 63 32 70 61 …      an APP11 segment
//! PNG    <len> "caBX" …
//! BMFF   <len> "ftyp" …  <len> "uuid" d8 fe c3 d6 1b 0e 48 3c 92 97 58 28 87 7e c4 81 …             MP4, MOV, HEIC, AVIF
//! ```
//! Foreign bytes are stepped over from one length to the next, so many steps at most, and never kept.
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

/// So many segments, chunks or boxes are looked at.
const STEPS_MAX: u32 = 4_096;
/// `uuid` of the box in which a BMFF file carries a manifest.
const BMFF_UUID: [u8; 16] =
    [0xd8, 0xfe, 0xc3, 0xd6, 0x1b, 0x0e, 0x48, 0x3c, 0x92, 0x97, 0x58, 0x28, 0x87, 0x7e, 0xc4, 0x81];

/// Whether a manifest is in it. What breaks off, or is none of these formats, has none.
pub fn has_manifest(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let mut start = [0; 12];
    let found = match read(file, 0, &mut start)? {
        _ if start.starts_with(b"\xff\xd8") => jpeg(file)?,
        _ if start.starts_with(b"\x89PNG\r\n\x1a\n") => png(file)?,
        12 if &start[4..8] == b"ftyp" => bmff(file)?,
        _ => None,
    };
    Ok(found.unwrap_or(false))
}

/// Bytes from a place on, as many as are there; how many that were.
fn read(file: &mut (impl Read + Seek), at: u64, into: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(at))?;
    let mut filled = 0;
    while filled < into.len() {
        match file.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The same, all or nothing.
fn exactly<const N: usize>(file: &mut (impl Read + Seek), at: u64) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    Ok((read(file, at, &mut bytes)? == N).then_some(bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(u32::from_be_bytes(bytes.get(at..)?.first_chunk::<4>().copied()?)))
}

fn jpeg(file: &mut (impl Read + Seek)) -> io::Result<Option<bool>> {
    let mut at = 2_u64;
    for _ in 0..STEPS_MAX {
        let Some(head) = exactly::<4>(file, at)? else { return Ok(None) };
        match head {
            // Padding before a marker.
            [0xff, 0xff, ..] => at += 1,
            // The image's own data begins, or all ends: manifests stand before.
            [0xff, 0xda | 0xd9, ..] => return Ok(None),
            // Markers without a length.
            [0xff, 0x01 | 0xd0..=0xd8, ..] => at += 2,
            [0xff, marker, high, low] => {
                if marker == 0xeb {
                    // CI, box instance, packet sequence; then the box, and in it its description with its type.
                    let Some(jumbf) = exactly::<28>(file, at + 4)? else { return Ok(None) };
                    let is_c2pa = jumbf.starts_with(b"JP")
                        && &jumbf[12..16] == b"jumb"
                        && &jumbf[20..24] == b"jumd"
                        && &jumbf[24..28] == b"c2pa";
                    if is_c2pa {
                        return Ok(Some(true));
                    }
                }
                let length = u64::from(u16::from_be_bytes([high, low]));
                if length < 2 {
                    return Ok(None);
                }
                at += 2 + length;
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}

fn png(file: &mut (impl Read + Seek)) -> io::Result<Option<bool>> {
    let mut at = 8_u64;
    for _ in 0..STEPS_MAX {
        let Some(head) = exactly::<8>(file, at)? else { return Ok(None) };
        match &head[4..] {
            b"caBX" => return Ok(Some(true)),
            b"IEND" => return Ok(None),
            // Length, type, data, check sum.
            _ => at += 12 + u32_at(&head, 0).unwrap_or_default(),
        }
    }
    Ok(None)
}

fn bmff(file: &mut (impl Read + Seek)) -> io::Result<Option<bool>> {
    let mut at = 0_u64;
    for _ in 0..STEPS_MAX {
        let Some(head) = exactly::<8>(file, at)? else { return Ok(None) };
        let (length, body) = match u32_at(&head, 0) {
            // To the end of the file.
            Some(0) => (None, 8),
            // A longer length follows.
            Some(1) => {
                let Some(long) = exactly::<8>(file, at + 8)? else { return Ok(None) };
                (Some(u64::from_be_bytes(long)), 16)
            }
            short => (short, 8),
        };
        if &head[4..] == b"uuid" && exactly::<16>(file, at + body)? == Some(BMFF_UUID) {
            return Ok(Some(true));
        }
        match length.filter(|length| *length >= body).and_then(|length| at.checked_add(length)) {
            // No file system has a place beyond.
            Some(next) if i64::try_from(next).is_ok() => at = next,
            _ => return Ok(None),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn jumbf() -> Vec<u8> {
        let mut segment =
            b"JP\0\x01\0\0\0\x01\0\0\0\x40jumb\0\0\0\x1ejumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71".to_vec();
        segment.resize(62, 0);
        [&[0xff, 0xeb, 0, 64][..], &segment].concat()
    }

    fn jpeg_with(segment: &[u8]) -> Vec<u8> {
        let exif = [&[0xff, 0xe1, 0, 10][..], b"Exif\0\0MM"].concat();
        [b"\xff\xd8", &exif[..], segment, b"\xff\xda\0\x08 and then the image \xff\xd9"].concat()
    }

    fn boxed(kind: &[u8], body: &[u8]) -> Vec<u8> {
        [&(8 + body.len() as u32).to_be_bytes()[..], kind, body].concat()
    }

    #[test]
    fn a_manifest_is_seen_where_each_format_has_it() {
        let check = |bytes: Vec<u8>, expected: bool| {
            assert_eq!(has_manifest(&mut Cursor::new(&bytes)).unwrap(), expected, "{bytes:?}");
        };
        check(jpeg_with(&jumbf()), true);
        check(jpeg_with(b""), false);
        // Other boxes in APP11, and a manifest that is only spoken of.
        check(jpeg_with(&[&[0xff, 0xeb, 0, 64][..], &[b'x'; 62]].concat()), false);
        check(b"the text c2pa jumb jumd".to_vec(), false);
        let ftyp = boxed(b"ftyp", b"mp42\0\0\0\0");
        let uuid = boxed(b"uuid", &[&BMFF_UUID[..], b"manifest"].concat());
        check([&ftyp[..], &uuid, &boxed(b"mdat", b"...")].concat(), true);
        check([&ftyp[..], &boxed(b"mdat", &uuid)].concat(), false);
        // A long length, and one that leads nowhere.
        let long = [&1_u32.to_be_bytes()[..], b"mdat", &20_u64.to_be_bytes(), b"1234"].concat();
        check([&ftyp[..], &long, &uuid].concat(), true);
        let endless = [&1_u32.to_be_bytes()[..], b"mdat", &u64::MAX.to_be_bytes()].concat();
        check([&ftyp[..], &endless, &uuid].concat(), false);
        let png = |kind: &[u8]| {
            let chunk = |kind: &[u8]| [&2_u32.to_be_bytes()[..], kind, b"..", b"sum."].concat();
            [b"\x89PNG\r\n\x1a\n", &chunk(b"IHDR")[..], &chunk(kind), &chunk(b"IEND")].concat()
        };
        check(png(b"caBX"), true);
        check(png(b"tEXt"), false);
    }

    /// Any bytes, and any change of bytes that mean something, come to an end and to an answer.
    #[test]
    fn no_bytes_are_too_strange() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let ftyp = boxed(b"ftyp", b"mp42\0\0\0\0");
        let png = [b"\x89PNG\r\n\x1a\n", &boxed(b"IHDR", b"....")[..]].concat();
        let seeds = [jpeg_with(&jumbf()), [&ftyp[..], &boxed(b"uuid", &BMFF_UUID)].concat(), png];
        let mut found = 0;
        for n in 0..60_000_usize {
            let mut bytes = seeds[n % 3].clone();
            for _ in 0..random() % 6 {
                let at = random() as usize % bytes.len();
                bytes[at] = random() as u8;
            }
            bytes.truncate(random() as usize % (bytes.len() + 40));
            found += u32::from(has_manifest(&mut Cursor::new(&bytes)).unwrap());
        }
        assert!(found > 1_000, "{found}");
    }
}
