//! Who is at the other end of the socket.

use std::os::unix::net::UnixStream;

/// The process at the other end, as the kernel tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Peer {
    pub pid: u32,
    pub uid: u32,
}

impl Peer {
    /// The peer's credentials at the time it connected; none where the system does not tell.
    #[cfg(target_os = "linux")]
    pub(super) fn of(stream: &UnixStream) -> Option<Peer> {
        let found = rustix::net::sockopt::socket_peercred(stream).ok()?;
        Some(Peer {
            pid: u32::try_from(found.pid.as_raw_nonzero().get()).ok()?,
            uid: found.uid.as_raw(),
        })
    }

    /// Not told here: the socket's directory, which nobody else can enter, has to do.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn of(_stream: &UnixStream) -> Option<Peer> {
        None
    }

    /// Whether this peer may be talked to by the user `uid`. Root may enter the directory, and is
    /// refused all the same: nothing runs there by accident as another user.
    pub(super) fn is_of(self, uid: u32) -> bool {
        self.uid == uid
    }
}

/// Whether the other end is the same user's. Where the system does not tell, the directory of the
/// socket has been checked.
pub(super) fn is_ours(stream: &UnixStream) -> bool {
    match Peer::of(stream) {
        Some(peer) => peer.is_of(rustix::process::geteuid().as_raw()),
        None => !cfg!(target_os = "linux"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_other_end_is_ours() {
        let (one, _two) = UnixStream::pair().unwrap();
        assert!(is_ours(&one));
        if let Some(peer) = Peer::of(&one) {
            assert_eq!(peer.pid, std::process::id());
        }
    }

    #[test]
    fn another_user_is_refused_and_so_is_root_for_a_person() {
        let peer = Peer { pid: 7, uid: 1000 };
        assert!(peer.is_of(1000));
        assert!(!peer.is_of(1001));
        assert!(!Peer { pid: 7, uid: 0 }.is_of(1000));
    }
}
