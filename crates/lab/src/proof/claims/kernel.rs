//! What is said about other parts of the kernel.

use pagewire_zcopy::try_map;
use rustix::event::epoll;
use rustix::io::Errno;

use super::{Bench, Tried, figures};

pub(super) fn epoll(_: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let instance = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let (holds, said, number) = match try_map(&instance) {
        Ok(()) => (true, "succeeds".to_owned(), 0),
        Err(error) => {
            let name = if Errno::from_io_error(&error) == Some(Errno::NODEV) { "ENODEV: " } else { "" };
            (false, format!("is refused ({name}{error})"), error.raw_os_error().unwrap_or(0))
        }
    };
    Ok(Tried {
        holds: Some(holds),
        evidence: format!("mmap(2) of an epoll instance {said}; events are copied out by epoll_wait(2)"),
        figures: figures([("errno", f64::from(number))]),
    })
}
