//! `ask --dry-run`: the request as it would be sent, and nothing sent or written.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::value::RawValue;

use super::args::Talk;
use super::attach::Bundle;
use super::failure::Failure;
use super::output::{print_json, print_json_line, print_line};
use super::shell::{Shell, now};
use super::talk;
use crate::model::Surface;
use crate::provider::{DEFAULT_MODEL, Preview};

/// A request as `--json` shows it.
#[derive(Serialize)]
struct Shape<'a> {
    method: &'a str,
    url: &'a str,
    headers: serde_json::Map<String, serde_json::Value>,
    body: &'a RawValue,
}

/// Goes the way of a question up to where it would be sent.
pub(super) fn show(shell: &Shell, talk: &Talk, bundle: Bundle) -> Result<ExitCode, Failure> {
    let settings = talk::settings(shell, talk, Surface::Ask);
    let reads = talk.with_memory || !talk.incognito;
    let (mut session, keys) = talk::unkept(shell, settings, talk, reads)?;
    talk::take_role(&mut session, talk)?;
    let chosen = talk::choose(shell, talk.model.as_deref(), &keys)?;
    let provider = chosen.provider.as_ref();
    session.say_with(bundle.content, bundle.images, now())?;
    if session.has_outgrown_the_window()? {
        shell.note("note: the older part of the conversation would be summarised first");
    }
    let recalled = session.recall(provider, now())?;
    let composed = session.compose(provider, &chosen.model, &recalled, now())?;
    let Some(preview) = provider.preview(&composed.request) else {
        shell.note("note: offline sends nothing; it looks things up here");
        if shell.global.json {
            print_json(&None::<()>)?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    if chosen.model == DEFAULT_MODEL {
        shell.note("note: the server would be asked for its models; the first is the default");
    }
    print(shell, &preview)?;
    Ok(ExitCode::SUCCESS)
}

fn print(shell: &Shell, preview: &Preview) -> Result<(), Failure> {
    let headers = preview.headers.iter();
    if !shell.global.json {
        print_line(&format!("{} {}", preview.method, preview.url))?;
        for (name, value) in headers {
            print_line(&format!("{name}: {value}"))?;
        }
        print_line("")?;
        return print_json_line(&preview.body);
    }
    let body = serde_json::from_slice(&preview.body).expect("a request is JSON");
    print_json(&Shape {
        method: preview.method,
        url: &preview.url,
        headers: headers
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect(),
        body,
    })
}
