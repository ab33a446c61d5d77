//! `gatectl explain`.

mod answer;
mod arguments;
mod curl;
mod head;
mod near;
mod path;
mod route;
mod story;
mod tell;
mod text;

pub(crate) use arguments::ExplainArgs;
use arguments::Line;
use head::Head;
use story::Story;
use tell::Suppose;

use crate::input;
use crate::json::printed;
use crate::outcome::Outcome;
use crate::source;

pub(crate) fn run(args: &ExplainArgs) -> Outcome {
    let mut outcome = Outcome::default();
    match story(args) {
        Ok(story) => {
            outcome.stdout = if args.json { printed(&story) } else { text::lines(&story).to_string() };
            outcome.at_least(story.verdict.exit());
        }
        Err(why) => outcome.cannot_run(&why),
    }
    outcome
}

fn story(args: &ExplainArgs) -> Result<Story, String> {
    let (head, notes) = request(args).map_err(|why| format!("gatectl: {why}"))?;
    let config = input::configuration(args.config.as_deref())?;
    let suppose = Suppose {
        client: args.client,
        answer: args.answer,
        retry_after: args.retry_after.as_ref().map(|seconds| seconds.as_encoded_bytes().to_vec()),
        all: args.all,
    };
    tell::tell(&head, &config, &suppose, notes)
        .ok_or_else(|| "gatectl: there is no verdict, which is a mistake of gatectl's".to_owned())
}

/// The request that the arguments describe, and what the reader should know of how they were read.
fn request(args: &ExplainArgs) -> Result<(Head, Vec<String>), String> {
    let target = args.target.as_ref().map(|target| target.as_encoded_bytes()).unwrap_or_default();
    let mut read = if let Some(Line::Curl { arguments }) = &args.line {
        curl::read(arguments.iter().map(|word| word.as_encoded_bytes().to_vec()))?
    } else if target == b"-" {
        let (_, line) = source::read_file("-".as_ref())?;
        curl::read_line(&line)?.ok_or("standard input does not begin with the word curl")?
    } else if let Some(read) = curl::read_line(target)? {
        read
    } else {
        return Ok((Head::read(args)?, Vec::new()));
    };
    if !args.headers.is_empty() || args.host.is_some() || args.method != "GET" {
        return Err("the curl line says method, host and headers: write them there".to_owned());
    }
    if let Some(length) = args.body {
        read.0.set_body(length);
        read.1.retain(|note| note != curl::LENGTH_UNKNOWN);
    }
    Ok(read)
}
