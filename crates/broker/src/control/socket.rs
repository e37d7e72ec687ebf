//! Binding the socket, and taking it away.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fchmod};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

use super::{CONNECTIONS_MAX, SOCKET_FILE, SocketName};

/// Read and write for the owner, nothing for others.
const OWNERS_ONLY: u32 = 0o600;

/// The bound socket. Its file goes when this is dropped.
#[derive(Debug)]
pub(super) struct ControlSocket {
    pub(super) listener: UnixListener,
    path: PathBuf,
}

/// Binds the socket of a locked directory, in place of one left behind. Must run inside the runtime.
pub(super) fn bind(dir: &Path) -> io::Result<ControlSocket> {
    let path = dir.join(SOCKET_FILE);
    remove_left_behind(&path)?;
    let name = SocketName::in_dir(dir)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // Before the file is there: Linux makes it with the socket's own mode, so that it is never open to others.
    fchmod(&socket, Mode::from_raw_mode(OWNERS_ONLY))?;
    socket.bind(&SockAddr::unix(name.path())?)?;
    let bound = ControlSocket {
        listener: {
            socket.listen(i32::try_from(CONNECTIONS_MAX).unwrap_or(i32::MAX))?;
            UnixListener::from_std(StdListener::from(socket))?
        },
        path,
    };
    // Where the mode of a socket is not that of its file.
    fs::set_permissions(&bound.path, std::os::unix::fs::PermissionsExt::from_mode(OWNERS_ONLY))?;
    Ok(bound)
}

/// Whoever has the lock owns the name. Anything but a socket is not ours to remove.
fn remove_left_behind(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "the name is taken by what is no socket")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // One that stays is replaced at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_only_the_owner_may_use_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(SOCKET_FILE);
        drop(StdListener::bind(&path).expect("left behind"));
        assert!(path.exists());
        let socket = bind(dir.path()).expect("bound");
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(SOCKET_FILE);
        fs::write(&path, "notes").expect("written");
        assert_eq!(bind(dir.path()).expect_err("refused").kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).expect("still there"), b"notes");
    }

    #[tokio::test]
    async fn a_directory_with_a_long_name_has_a_socket_too() {
        let dir = tempfile::tempdir().expect("a directory");
        let long = dir.path().join("x".repeat(200));
        fs::create_dir(&long).expect("a directory");
        let _socket = bind(&long).expect("bound");
        let name = SocketName::in_dir(&long).expect("a name");
        std::os::unix::net::UnixStream::connect(name.path()).expect("connected");
    }
}
