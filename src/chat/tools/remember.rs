//! `remember`: takes what a `<memory_update>` block takes, and goes the same way.

use crate::memory::{REMEMBER_DESCRIPTION, parse_updates, remember_schema};

use super::{Call, Given, OwnTool};

/// As much as a block may hold.
const INPUT_BYTES_MAX: usize = 64 * 1024;

pub(super) const TOOL: OwnTool = OwnTool {
    name: "remember",
    description: REMEMBER_DESCRIPTION,
    input_schema: remember_schema,
    is_offered: |session| session.settings.learns,
    run: |_, call| remember(call),
};

/// The model is not told what became of it: nothing that waits for the person is its business.
fn remember(call: Call<'_>) -> Given {
    let json = call.input.to_string();
    if json.len() > INPUT_BYTES_MAX {
        return Given::Fault("above 64 KiB".into());
    }
    match parse_updates(&json) {
        Ok((proposals, faults)) => {
            call.proposals.extend(proposals);
            match faults.first() {
                None => Given::Result("Noted.".into()),
                Some(fault) => Given::Fault(format!("Noted, but {fault}").into()),
            }
        }
        Err(fault) => Given::Fault(fault.to_string().into()),
    }
}
