//! Asks before a request that is unusually large, or that goes over what a month may cost.

use jiff::tz::TimeZone;

use super::failure::Failure;
use super::output::{complain, stdin_is_terminal};
use super::reply::{count, dollars, tokens};
use super::secret_input::{has_terminal, is_sure};
use super::shell::{Shell, now};
use crate::chat::{Composed, Ledger, Session};
use crate::config::Tokens;
use crate::model::Usage;
use crate::provider::Chosen;
use crate::vault::Log;

/// Everything said and spent, with the prices that are known.
pub(super) fn ledger(shell: &Shell, log: &mut dyn Log) -> Result<Ledger, Failure> {
    let prices = shell.prices()?;
    let cost = |model: &str, usage: Usage| prices.cost(model, tokens(usage));
    Ok(Ledger::read(log, TimeZone::system(), &cost)?)
}

/// Makes sure that the person means a request which they may not know is large or dear.
pub(super) fn obtain(
    shell: &Shell,
    session: &mut Session,
    composed: &Composed,
    chosen: &Chosen,
) -> Result<(), Failure> {
    if chosen.provider.host().is_none() {
        return Ok(());
    }
    let size = composed.window_tokens + composed.standing_tokens + composed.recalled_tokens;
    let max = shell.config.large_request_tokens as usize;
    if max > 0 && size > max {
        let model = chosen.name();
        let input = Tokens {
            input: size as u64,
            ..Tokens::default()
        };
        let cost = shell.prices()?.cost(&model, input);
        let cost = cost.map_or(String::new(), |cost| {
            format!(", which costs about {} before the answer", dollars(cost))
        });
        ask(&format!(
            "This request has about {} tokens{cost}.",
            count(size as u64)
        ))?;
    }
    let Some(limit) = shell.config.monthly_limit else {
        return Ok(());
    };
    let spent = ledger(shell, session.log.as_mut())?.month_of(now()).cost;
    if spent >= limit {
        ask(&format!(
            "This month has cost {} so far; the limit is {}.",
            dollars(spent),
            dollars(limit)
        ))?;
    }
    Ok(())
}

/// Asks where there is somebody to ask; a script is only told.
fn ask(what: &str) -> Result<(), Failure> {
    complain(what);
    if !has_terminal() || !stdin_is_terminal() {
        return Ok(());
    }
    match is_sure("Send it?")? {
        true => Ok(()),
        false => Err(Failure::NotSent),
    }
}
