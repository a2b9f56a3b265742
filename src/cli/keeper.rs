//! `agent unlock` and `agent lock`: the keeper, which holds the vault open for this login.

use std::process::{Command, ExitCode};
use std::sync::Arc;

use serde::Serialize;

use super::args::UnlockArgs;
use super::failure::Failure;
use super::output::print_json;
use super::shell::Shell;
use crate::config::CHILD_MUST_NOT_SEE;
use crate::keeper::{self, Client, IDLE, KeeperError, Place, Status, Times};
use crate::store::FileStore;
use crate::vault::LockedVault;

#[derive(Serialize)]
struct Shown<'a> {
    unlocked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    keeper: Option<&'a Status>,
}

/// A keeper that holds the vault open, in words.
pub(super) fn unlocked(status: &Status) -> String {
    let idle = minutes(status.idle_left_ms.min(status.limit_left_ms));
    let limit = minutes(status.limit_left_ms);
    let swap = match status.keys_locked {
        true => "",
        false => "; its keys may be swapped out (see `ulimit -l`)",
    };
    format!(
        "unlocked by process {}; locks after {idle} without use, in {limit} at the latest{swap}",
        status.pid
    )
}

fn minutes(ms: u64) -> String {
    match ms.div_ceil(1000) {
        seconds @ 0..=90 => format!("{seconds} s"),
        seconds @ 91..=5400 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

pub(super) fn unlock(shell: &Shell, args: &UnlockArgs) -> Result<ExitCode, Failure> {
    let locked = LockedVault::open(shell.store()?, shell.wait())?;
    let header = locked.header().clone();
    let vault = header.vault;
    let place = shell.keeper_place(vault);
    place.prepare()?;
    // Whoever names a time wants that time: the keeper is replaced, once the passphrase is right.
    if args.idle.is_none() && Client::open(&place, vault, shell.wait()).is_ok_and(|c| c.is_some()) {
        return tell(shell, keeper::status(&place)?, "already unlocked");
    }
    let secret = shell.handover()?;
    let status = keeper::start(command(shell, args)?, &secret).map_err(|error| match error {
        KeeperError::Vault(error) => shell.not_opened(error, &header),
        other => other.into(),
    })?;
    if let Some(client) = Client::open(&place, vault, shell.wait())? {
        shell.say_about(client.last_condition());
    }
    tell(shell, Some(status), "unlocked")
}

fn tell(shell: &Shell, status: Option<Status>, word: &str) -> Result<ExitCode, Failure> {
    if shell.global.json {
        print_json(&Shown {
            unlocked: status.is_some(),
            keeper: status.as_ref(),
        })?;
    } else if let Some(status) = status {
        let words = unlocked(&status);
        shell.note(&words.replacen("unlocked", word, 1));
    }
    Ok(ExitCode::SUCCESS)
}

/// This program once more, as the keeper of the same vault.
fn command(shell: &Shell, args: &UnlockArgs) -> Result<Command, Failure> {
    let program = std::env::current_exe().map_err(|source| KeeperError::NotStarted { source })?;
    let mut command = Command::new(program);
    command.arg("--state-dir").arg(&shell.paths.state_dir);
    if shell.global.accept_rollback {
        command.arg("--accept-rollback");
    }
    command.arg("keeper-serve");
    if let Some(idle) = args.idle {
        command.arg("--for").arg(format!("{}ms", idle.as_millis()));
    }
    for name in CHILD_MUST_NOT_SEE {
        command.env_remove(name);
    }
    for name in shell.config.key_variables() {
        command.env_remove(name);
    }
    Ok(command)
}

pub(super) fn lock(shell: &Shell) -> Result<ExitCode, Failure> {
    let locked = LockedVault::open(shell.store()?, shell.wait())?;
    let was = keeper::stop(&shell.keeper_place(locked.header().vault))?;
    if shell.global.json {
        print_json(&Shown {
            unlocked: false,
            keeper: None,
        })?;
    } else {
        shell.note(match was {
            true => "Locked; the keeper and its keys are gone.",
            false => "No keeper held the vault open.",
        });
    }
    Ok(ExitCode::SUCCESS)
}

/// Is the keeper. What goes wrong is told to `unlock`, which waits for it.
pub(super) fn serve(shell: &Shell, args: &UnlockArgs) -> Result<ExitCode, Failure> {
    let times = Times {
        idle: args.idle.unwrap_or(IDLE),
        ..Times::default()
    };
    keeper::serve(times, |handover| {
        let locked = LockedVault::open(
            Arc::new(FileStore::open(
                &shell.paths.state_dir,
                &shell.paths.witness_dir,
            )?),
            shell.wait(),
        )?;
        let place: Place = shell.keeper_place(locked.header().vault);
        let mut vault = locked.unlock_with(&handover.secret())?;
        if shell.global.accept_rollback {
            vault.accept_rollback(super::shell::now())?;
        }
        Ok((vault, place))
    })?;
    Ok(ExitCode::SUCCESS)
}
