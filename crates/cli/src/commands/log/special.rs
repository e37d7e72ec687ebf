//! What is neither a file nor a directory: it is not opened, since that may wait for whoever writes to it.

use std::fs::FileType;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

type Is = fn(&FileType) -> bool;

const KINDS: [(Is, &str); 4] = [
    (FileTypeExt::is_socket, "a socket"),
    (FileTypeExt::is_fifo, "a FIFO"),
    (FileTypeExt::is_block_device, "a device"),
    (FileTypeExt::is_char_device, "a device"),
];

/// What is at `path`, if that is neither.
pub(super) fn special(path: &Path) -> io::Result<Option<&'static str>> {
    let kind = std::fs::metadata(path)?.file_type();
    Ok(KINDS.iter().find(|(is, _)| is(&kind)).map(|(_, what)| *what))
}
