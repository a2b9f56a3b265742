//! `agent watch`: records as any process appends them.

use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use super::args::WatchArgs;
use super::failure::Failure;
use super::output::{harmless, one_line, print_json_line, print_line};
use super::shell::Shell;
use crate::keeper::Opened;
use crate::model::{MemoryEvent, MemoryOp, Message, Record, Role};
use crate::vault::{Entry, Log};

/// How often the files are looked at where no event says so: network file systems.
pub(super) const POLL: Duration = Duration::from_secs(5);

pub(super) fn run(shell: Shell, args: &WatchArgs) -> Result<ExitCode, Failure> {
    let mut vault = shell.open()?;
    let (sender, woken) = mpsc::channel();
    // Watch first, then look: what is appended in between is seen by the look.
    let _watching = shell.store()?.watch(Box::new(move || {
        sender.send(()).ok();
    }));
    let mut after = match args.since {
        Some(seq) => seq,
        None => vault.refresh()?.seq,
    };
    shell.note("watching; Ctrl-C ends it");
    loop {
        print_behind(&shell, &mut vault, &mut after)?;
        // One append raises several events.
        let _ = woken.recv_timeout(POLL);
        while woken.try_recv().is_ok() {}
        vault.refresh()?;
    }
}

fn print_behind(shell: &Shell, vault: &mut Opened, after: &mut u64) -> Result<(), Failure> {
    loop {
        let batch = vault.read(*after)?;
        let Some(last) = batch.last() else {
            return Ok(());
        };
        *after = last.seq;
        for entry in &batch {
            if shell.global.json {
                print_json_line(entry.line())?;
            } else {
                print_line(&describe(entry))?;
            }
        }
    }
}

fn describe(entry: &Entry) -> String {
    let what = match entry.record() {
        Ok(Record::Message(message)) => of_message(&message),
        Ok(Record::Memory(event)) => of_memory(&event),
        Ok(Record::Conversation(_)) => "conversation".to_owned(),
        Ok(Record::Session(_)) => "session".to_owned(),
        Ok(Record::Consent(consent)) => format!("consent for {}", harmless(&consent.host)),
        Ok(_) => "record".to_owned(),
        Err(_) => "unreadable record".to_owned(),
    };
    format!("{:>6}  {what}", entry.seq)
}

fn of_message(message: &Message) -> String {
    let who = match message.role {
        Role::User => "you",
        Role::Assistant => "assistant",
        Role::System | Role::Unknown => "system",
    };
    format!("{who}: {}", one_line(&message.plain()))
}

fn of_memory(event: &MemoryEvent) -> String {
    match &event.op {
        MemoryOp::Add { item } => format!("remembered: {}", one_line(&item.text)),
        MemoryOp::Supersede { item, .. } | MemoryOp::Merge { item, .. } => {
            format!("remembered instead: {}", one_line(&item.text))
        }
        MemoryOp::Edit { text, .. } => format!("changed to: {}", one_line(text)),
        MemoryOp::Forget { .. } => "forgot an item".to_owned(),
        _ => "changed an item".to_owned(),
    }
}
