//! What a system may lack: asked, and said.

use std::io;
use std::os::fd::AsFd;

use pagewire_zcopy::{Calls, DirectFile, OsCalls, Route};

use super::{file_of, tcp_pair};

/// Whether a file of these tests can go by `route`, to TCP and from a thread that may wait. Says so where it cannot: by
/// `copy` then.
pub fn is_available(route: Route) -> bool {
    let missing = match route {
        Route::Uring => return ring_is_available(),
        Route::Direct => DirectFile::open(file_of(b"").as_fd()).err(),
        Route::Zerocopy => OsCalls.enable_zerocopy(tcp_pair(false).0.as_fd()).err(),
        _ => None,
    };
    is_not_missing(route, missing.as_ref())
}

/// Whether this kernel lets this process have a ring with a registered buffer.
#[cfg(feature = "uring")]
pub fn ring_is_available() -> bool {
    is_not_missing(Route::Uring, pagewire_zcopy::Ring::new(1, 256 << 10, true).err().as_ref())
}

/// It is not built in.
#[cfg(not(feature = "uring"))]
pub fn ring_is_available() -> bool {
    is_not_missing(Route::Uring, Some(&io::ErrorKind::Unsupported.into()))
}

fn is_not_missing(route: Route, missing: Option<&io::Error>) -> bool {
    if let Some(error) = missing {
        eprintln!("no {route} to be had here ({error}): asserting that copy takes its place");
    }
    missing.is_none()
}
