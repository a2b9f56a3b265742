//! What the process does before anything else: nobody else reads its files, its memory or its core.

use rustix::process::{Resource, Rlimit};

/// umask 077, no core file, not traceable by other processes of the user. None of it can be
/// refused to a process, so failures are not worth stopping for.
pub(super) fn harden() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(Resource::Core, none).ok();
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).ok();
    std::panic::set_hook(Box::new(|info| {
        // The place and nothing else: a message could hold words of a conversation.
        let place = info
            .location()
            .map_or_else(String::new, |at| format!(" at {at}"));
        super::output::complain(&format!("agent: a fault of the program itself{place}"));
    }));
}
