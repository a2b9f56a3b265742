//! The account export of ChatGPT: `conversations.json`, a list of trees of messages.
//!
//! What counts is the branch that the person saw last: from `current_node` up to the root. Other
//! branches, calls of tools and their results, hidden system messages and pictures stay behind.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{Id, Role};

use super::super::error::TransferError;
use super::foreign::{Arrival, Arrivals, Few, Members, Opening, Spot, id_of, model_name, time_of};
use super::{Fault, Origin};

const NODES_MAX: usize = 65_536;
const PARTS_MAX: usize = 1024;

#[derive(Deserialize)]
struct Conversation<'a> {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    conversation_id: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default, borrow)]
    create_time: Option<&'a RawValue>,
    #[serde(default)]
    current_node: Option<String>,
    #[serde(borrow)]
    mapping: Members<Node<'a>, NODES_MAX>,
}

#[derive(Deserialize)]
struct Node<'a> {
    #[serde(default, borrow)]
    message: Option<&'a RawValue>,
    #[serde(default)]
    parent: Option<String>,
}

#[derive(Deserialize)]
struct Message<'a> {
    author: Author,
    #[serde(default, borrow)]
    create_time: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Content<'a>,
    #[serde(default)]
    recipient: Option<String>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Author {
    role: String,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default, borrow)]
    parts: Few<&'a RawValue, PARTS_MAX>,
    #[serde(default)]
    text: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    model_slug: Option<String>,
    #[serde(default)]
    is_visually_hidden_from_conversation: Option<bool>,
}

/// A part that is not a string: a transcript of what was spoken, or a picture.
#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
}

pub(super) fn take(
    value: &[u8],
    spot: Spot,
    arrivals: &mut Arrivals<'_>,
) -> Result<(), TransferError> {
    let Ok(conversation) = serde_json::from_slice::<Conversation<'_>>(value) else {
        arrivals.bad(spot, fault_of(value));
        return Ok(());
    };
    let native = conversation
        .conversation_id
        .as_ref()
        .or(conversation.id.as_ref());
    let Some(native) = native else {
        arrivals.bad(spot, Fault::Incomplete);
        return Ok(());
    };
    arrivals.turn_over();
    let opening = Opening {
        id: id_of(Origin::Chatgpt, &[native]),
        at: time_of(conversation.create_time),
        title: conversation.title.as_deref(),
    };
    let nodes: HashMap<&str, &Node<'_>> = conversation
        .mapping
        .0
        .iter()
        .map(|(id, node)| (id.as_str(), node))
        .collect();
    let branch = branch(&nodes, conversation.current_node.as_deref());
    for _ in branch.len()..nodes.values().filter(|node| node.message.is_some()).count() {
        arrivals.left_out();
    }
    for (id, raw) in branch {
        let id = id_of(Origin::Chatgpt, &[native, id]);
        take_message(raw, id, &opening, spot, arrivals)?;
    }
    Ok(())
}

pub(super) fn fault_of(value: &[u8]) -> Fault {
    if std::str::from_utf8(value).is_err() {
        Fault::NotUtf8
    } else if serde_json::from_slice::<serde::de::IgnoredAny>(value).is_err() {
        Fault::NotJson
    } else {
        Fault::Incomplete
    }
}

/// The messages from the root to `current`, or to the newest leaf. A tree that goes in circles ends
/// where it comes round.
fn branch<'a>(
    nodes: &HashMap<&'a str, &'a Node<'a>>,
    current: Option<&str>,
) -> Vec<(&'a str, &'a RawValue)> {
    let known = current.and_then(|id| nodes.get_key_value(id));
    let mut at = known.map(|(id, _)| *id).or_else(|| newest_leaf(nodes));
    let mut seen = HashSet::new();
    let mut branch = Vec::new();
    while let Some(id) = at
        && seen.insert(id)
        && let Some(node) = nodes.get(id)
    {
        branch.extend(node.message.map(|message| (id, message)));
        at = node.parent.as_deref();
    }
    branch.reverse();
    branch
}

fn newest_leaf<'a>(nodes: &HashMap<&'a str, &'a Node<'a>>) -> Option<&'a str> {
    #[derive(Deserialize)]
    struct Time<'a> {
        #[serde(default, borrow)]
        create_time: Option<&'a RawValue>,
    }
    let parents: HashSet<&str> = nodes.values().filter_map(|n| n.parent.as_deref()).collect();
    let time = |node: &Node<'_>| {
        let time = serde_json::from_str::<Time<'_>>(node.message?.get()).ok()?;
        time_of(time.create_time)
    };
    nodes
        .iter()
        .filter(|(id, _)| !parents.contains(*id))
        .max_by_key(|(id, node)| (time(node), **id))
        .map(|(id, _)| *id)
}

fn take_message(
    raw: &RawValue,
    id: Id,
    opening: &Opening<'_>,
    spot: Spot,
    arrivals: &mut Arrivals<'_>,
) -> Result<(), TransferError> {
    let Ok(message) = serde_json::from_str::<Message<'_>>(raw.get()) else {
        arrivals.bad(spot, Fault::Incomplete);
        return Ok(());
    };
    let role = match message.author.role.as_str() {
        "user" => Some(Role::User),
        "assistant" => Some(Role::Assistant),
        _ => None,
    };
    let metadata = message.metadata.as_ref();
    let hidden = metadata.is_some_and(|m| m.is_visually_hidden_from_conversation == Some(true));
    let to_all = message.recipient.as_deref().is_none_or(|to| to == "all");
    let shown = !matches!(
        message.content.content_type.as_deref(),
        Some("thoughts" | "reasoning_recap" | "user_editable_context" | "model_editable_context")
    );
    let Some(role) = role.filter(|_| to_all && shown && !hidden) else {
        arrivals.left_out();
        return Ok(());
    };
    let model = metadata.and_then(|metadata| metadata.model_slug.as_deref());
    let arrival = Arrival {
        id,
        role,
        at: time_of(message.create_time),
        text: &text_of(&message.content),
        model: model_name("openai", model).filter(|_| role == Role::Assistant),
    };
    arrivals.message(opening, arrival, spot)
}

fn text_of(content: &Content<'_>) -> String {
    let parts = content.parts.0.iter().filter_map(|part| {
        let raw = part.get();
        let text = serde_json::from_str::<String>(raw);
        text.ok()
            .or_else(|| serde_json::from_str::<Part>(raw).ok()?.text)
    });
    let parts: Vec<String> = parts.filter(|text| !text.is_empty()).collect();
    if parts.is_empty() {
        return content.text.clone().unwrap_or_default();
    }
    parts.join("\n")
}
