//! What kind of file bytes are, as far as their beginning and their name tell; nothing is taken apart.
//!
//! ```text
//! ff d8 ff …                     image/jpeg
//! .. .. .. .. ftyp mp42 …        video/mp4
//! "lat,lon\n…", track.csv        text/csv
//! ```

/// So many bytes of the beginning are enough.
pub const BEGINNING_BYTES: usize = 512;
/// The type of what is not known.
pub const UNKNOWN: &str = "application/octet-stream";

/// Beginnings: offset, bytes, media type. The first that fits counts.
const BEGINNINGS: [(usize, &[u8], &str); 34] = [
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/x-msvideo"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (4, b"ftypqt  ", "video/quicktime"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypheix", "image/heic"),
    (4, b"ftypmif1", "image/heif"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypM4A ", "audio/mp4"),
    (4, b"ftyp3g", "video/3gpp"),
    (4, b"ftyp", "video/mp4"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"\x1aE\xdf\xa3", "video/x-matroska"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\0\0\x01\xba", "video/mpeg"),
    (0, b"BM", "image/bmp"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"LASF", "application/vnd.las"),
    (0, b"PAR1", "application/vnd.apache.parquet"),
    (257, b"ustar", "application/x-tar"),
    (0, b"PK\x03\x04", "application/zip"),
];

/// Ends of names; for what has no beginning of its own, and for how a file is named that goes out.
const ENDINGS: [(&str, &str); 38] = [
    ("jpg", "image/jpeg"),
    ("png", "image/png"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("tif", "image/tiff"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("3gp", "video/3gpp"),
    ("mkv", "video/x-matroska"),
    ("avi", "video/x-msvideo"),
    ("mpg", "video/mpeg"),
    ("wav", "audio/wav"),
    ("m4a", "audio/mp4"),
    ("ogg", "audio/ogg"),
    ("flac", "audio/flac"),
    ("mp3", "audio/mpeg"),
    ("pdf", "application/pdf"),
    ("rtf", "application/rtf"),
    ("zip", "application/zip"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("gz", "application/gzip"),
    ("7z", "application/x-7z-compressed"),
    ("tar", "application/x-tar"),
    ("sqlite", "application/vnd.sqlite3"),
    ("las", "application/vnd.las"),
    ("parquet", "application/vnd.apache.parquet"),
    ("txt", "text/plain"),
    ("csv", "text/csv"),
    ("json", "application/json"),
    ("geojson", "application/geo+json"),
    ("gpx", "application/gpx+xml"),
    ("kml", "application/vnd.google-earth.kml+xml"),
];

/// Media type of a file: its bytes say more than its name.
pub fn media_type(beginning: &[u8], name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    let ending = match ending.as_str() {
        "jpeg" => "jpg",
        "tiff" => "tif",
        other => other,
    };
    let by_name = ENDINGS.iter().find(|(known, _)| *known == ending).map(|(_, media_type)| *media_type);
    let fits = |(offset, bytes, _): &&(usize, &[u8], &str)| {
        beginning.get(*offset..).is_some_and(|rest| rest.starts_with(bytes))
    };
    match (BEGINNINGS.iter().find(fits).map(|(_, _, media_type)| *media_type), by_name) {
        // An office document is a zip by its bytes.
        (Some("application/zip"), Some(finer)) if finer.starts_with("application/vnd.o") => finer,
        (Some(by_bytes), _) => by_bytes,
        // What has a beginning and lacks it is something else.
        (None, Some(named)) if BEGINNINGS.iter().all(|(_, _, known)| *known != named) => named,
        _ => UNKNOWN,
    }
}

/// How the name of such a file ends.
pub fn ending(media_type: &str) -> &'static str {
    ENDINGS.iter().find(|(_, known)| *known == media_type).map_or("bin", |(ending, _)| ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_say_more_than_names() {
        let check = |bytes: &[u8], name: &str, expected: &str| assert_eq!(media_type(bytes, name), expected, "{name}");
        check(b"\xff\xd8\xff\xe0\0\x10JFIF", "IMG_1.JPG", "image/jpeg");
        check(b"\xff\xd8\xff\xe0\0\x10JFIF", "report.pdf", "image/jpeg");
        check(b"\0\0\0\x18ftypmp42", "clip", "video/mp4");
        check(b"%PDF-1.7", "x", "application/pdf");
        check(b"<html>", "x.pdf", UNKNOWN);
        check(b"lat,lon\n", "TRACK.CSV", "text/csv");
        check(b"<html>", "x.html", UNKNOWN);
        check(b"PK\x03\x04", "x.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document");
        check(b"", "", UNKNOWN);
        assert_eq!((ending("image/jpeg"), ending("text/html")), ("jpg", "bin"));
    }
}
