//! The graph of the reference memory server of the Model Context Protocol: JSON lines of entities
//! with observations, and of relations between them.
//!
//! An observation becomes a fact with its entity's name before it; a relation becomes a sentence.

use serde::Deserialize;

use crate::model::Kind;
use crate::vault::Vault;

use super::super::error::TransferError;
use super::super::progress::{Meter, OnProgress, Step};
use super::chatgpt::fault_of;
use super::foreign::{Arrivals, Few, Spot, id_of};
use super::lines::{Line, Lines};
use super::{Fault, ImportOptions, Imported, Origin, Source};

/// The longest line that is held: an entity with all it is known for.
const LINE_BYTES_MAX: usize = 4 << 20;
const OBSERVATIONS_MAX: usize = 16_384;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Node {
    Entity {
        name: String,
        #[serde(default, rename = "entityType")]
        kind: Option<String>,
        #[serde(default)]
        observations: Few<String, OBSERVATIONS_MAX>,
    },
    Relation {
        from: String,
        to: String,
        #[serde(rename = "relationType")]
        kind: String,
    },
}

pub(super) fn read(
    vault: &mut Vault,
    source: &mut dyn Source,
    bytes: u64,
    options: &ImportOptions,
    report: &mut OnProgress<'_>,
) -> Result<Imported, TransferError> {
    let mut arrivals = Arrivals::new(vault, Origin::McpMemory, options, report)?;
    let mut meter = Meter::new(Step::Import, bytes, report);
    let mut lines = Lines::new(source, LINE_BYTES_MAX);
    while let Some(line) = lines.next()? {
        let spot = Spot {
            line: Some(line.number()),
            ..Spot::default()
        };
        match line {
            Line::TooLong { .. } => arrivals.bad(spot, Fault::TooLong),
            Line::Whole { bytes, .. } if bytes.trim_ascii().is_empty() => {}
            Line::Whole { bytes, .. } => match serde_json::from_slice::<Node>(bytes) {
                Ok(node) => take(&node, spot, &mut arrivals)?,
                Err(_) => arrivals.bad(spot, fault_of(bytes)),
            },
        }
        meter.at(lines.bytes)?;
    }
    arrivals.finish()
}

fn take(node: &Node, spot: Spot, arrivals: &mut Arrivals<'_>) -> Result<(), TransferError> {
    match node {
        Node::Entity {
            name,
            kind,
            observations,
        } => {
            let kind = kind.as_deref().filter(|kind| !kind.is_empty());
            for observation in &observations.0 {
                let id = id_of(Origin::McpMemory, &["observation", name, observation]);
                // The server's own prompt calls the person so.
                let text = match kind {
                    _ if name == "default_user" => observation.clone(),
                    Some(kind) => format!("{} ({kind}): {observation}", spaced(name)),
                    None => format!("{}: {observation}", spaced(name)),
                };
                arrivals.memory(id, Kind::Fact, &text, None, spot)?;
            }
            if observations.0.is_empty() {
                arrivals.left_out();
            }
            Ok(())
        }
        Node::Relation { from, to, kind } => {
            let id = id_of(Origin::McpMemory, &["relation", from, kind, to]);
            let text = format!("{} {} {}", spaced(from), spaced(kind), spaced(to));
            arrivals.memory(id, Kind::Fact, &text, None, spot)
        }
    }
}

fn spaced(name: &str) -> String {
    name.replace('_', " ")
}
