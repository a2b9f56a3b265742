//! The account export of Claude: `conversations.json`, a list of conversations with their messages
//! in order.
//!
//! Of a message its text blocks count, and the text of files that were put into it. Thinking, calls
//! of tools and their results stay behind.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::Role;

use super::super::error::TransferError;
use super::chatgpt::fault_of;
use super::foreign::{Arrival, Arrivals, Few, Opening, Spot, id_of, model_name, time_of};
use super::{Fault, Origin};

const MESSAGES_MAX: usize = 65_536;
const PARTS_MAX: usize = 1024;

#[derive(Deserialize)]
struct Conversation<'a> {
    uuid: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default, borrow)]
    created_at: Option<&'a RawValue>,
    #[serde(borrow)]
    chat_messages: Few<&'a RawValue, MESSAGES_MAX>,
}

#[derive(Deserialize)]
struct Message<'a> {
    uuid: String,
    sender: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default, borrow)]
    created_at: Option<&'a RawValue>,
    #[serde(default)]
    content: Few<Block, PARTS_MAX>,
    #[serde(default)]
    attachments: Few<Attachment, PARTS_MAX>,
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    text: Option<String>,
}

#[derive(Deserialize)]
struct Attachment {
    #[serde(default)]
    file_name: Option<String>,
    #[serde(default)]
    extracted_content: Option<String>,
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
    arrivals.turn_over();
    let opening = Opening {
        id: id_of(Origin::Claude, &[&conversation.uuid]),
        at: time_of(conversation.created_at),
        title: conversation.name.as_deref(),
    };
    for raw in &conversation.chat_messages.0 {
        let Ok(message) = serde_json::from_str::<Message<'_>>(raw.get()) else {
            arrivals.bad(spot, Fault::Incomplete);
            continue;
        };
        let role = match message.sender.as_str() {
            "human" | "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => {
                arrivals.left_out();
                continue;
            }
        };
        let model = model_name("anthropic", conversation.model.as_deref());
        let arrival = Arrival {
            id: id_of(Origin::Claude, &[&conversation.uuid, &message.uuid]),
            role,
            at: time_of(message.created_at),
            text: &text_of(&message),
            model: model.filter(|_| role == Role::Assistant),
        };
        arrivals.message(&opening, arrival, spot)?;
    }
    Ok(())
}

fn text_of(message: &Message<'_>) -> String {
    let said = |block: &Block| block.kind.as_deref() == Some("text");
    let blocks = message.content.0.iter().filter(|block| said(block));
    let blocks: Vec<&str> = blocks.filter_map(|block| block.text.as_deref()).collect();
    let mut text = blocks.join("\n\n");
    if text.trim().is_empty() {
        // Older exports have the text only here; newer ones put remarks about tools into it.
        text = message.text.clone().unwrap_or_default();
    }
    for attachment in &message.attachments.0 {
        let Some(content) = &attachment.extracted_content else {
            continue;
        };
        let name = attachment.file_name.as_deref().unwrap_or("file");
        text.push_str("\n\n");
        text.push_str(name);
        text.push_str(":\n");
        text.push_str(content);
    }
    text
}
