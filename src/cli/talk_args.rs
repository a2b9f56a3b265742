//! The command line's words for talking: `chat` and `ask`.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Default, Clone)]
pub(super) struct Talk {
    /// Continue the last conversation
    #[arg(short = 'c', long = "continue", group = "which")]
    pub continue_last: bool,
    /// Continue the conversation whose id begins so
    #[arg(long, value_name = "ID", group = "which")]
    pub cid: Option<String>,
    /// Continue, or start, the conversation of this name
    #[arg(short, long, value_name = "NAME", group = "which")]
    pub session: Option<String>,
    /// Start a new conversation
    #[arg(long, group = "which")]
    pub new: bool,
    /// The model, as provider/model
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,
    /// A system prompt in place of the usual one
    #[arg(long, value_name = "TEXT")]
    pub system: Option<String>,
    /// A named system prompt, or question; agent roles shows them
    #[arg(short, long, value_name = "NAME", conflicts_with = "system")]
    pub role: Option<String>,
    /// What a variable of the role stands for: {{NAME}} in its text (repeatable)
    #[arg(short, long, value_name = "NAME=VALUE", requires = "role", value_parser = param)]
    pub param: Vec<(String, String)>,
    /// Incognito: nothing is read from the vault or written anywhere
    #[arg(short = 'n', long)]
    pub incognito: bool,
    /// With --incognito: read what is remembered and was said before; still nothing is written
    #[arg(long, requires = "incognito", conflicts_with = "no_memory")]
    pub with_memory: bool,
    /// Leave long-term memory out, and learn nothing
    #[arg(long)]
    pub no_memory: bool,
    /// Keep what is learnt to the git work tree that this is started in [config: memory.by_project]
    #[arg(long, conflicts_with = "no_project")]
    pub project: bool,
    /// Start in no project, whatever the settings say
    #[arg(long)]
    pub no_project: bool,
    /// Show replies as they are written, not drawn as Markdown
    #[arg(long)]
    pub no_markdown: bool,
    /// A text file or a PDF to put before the message, or a picture beside it (repeatable)
    #[arg(short, long = "attach", value_name = "FILE")]
    pub attach: Vec<PathBuf>,
}

#[derive(Args, Default, Clone)]
pub(super) struct ChatArgs {
    #[command(flatten)]
    pub talk: Talk,
}

#[derive(Args, Clone)]
pub(super) struct AskArgs {
    /// The question; standard input is put behind it
    pub prompt: Vec<String>,
    #[command(flatten)]
    pub talk: Talk,
    /// Print the answer when it is complete
    #[arg(long)]
    pub no_stream: bool,
    /// Print only the first block of code in the answer; all of it, if there is none
    #[arg(short = 'x', long, conflicts_with_all = ["json", "stream_json"])]
    pub extract: bool,
    /// Print JSON lines as the answer comes, the whole answer last
    #[arg(long, conflicts_with = "no_stream")]
    pub stream_json: bool,
    /// Show the request as it would be sent, without the key; send nothing, write nothing
    #[arg(long, conflicts_with_all = ["extract", "stream_json"])]
    pub dry_run: bool,
    /// Let the words go to the model's host without asking
    #[arg(short, long)]
    pub yes: bool,
}

/// A variable's name, and what it stands for.
fn param(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("is not a name, `=`, and a value".to_owned()),
    }
}
