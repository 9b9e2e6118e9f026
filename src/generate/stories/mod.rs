//! Small stories: each a folder with logs, the truth and a page that says what to look for.

mod certificates_and_app_users;
mod clean;
mod console_and_programs;
mod console_switch_role;
mod contradictions;
mod denied_attempts;
mod federation_outlives_key;
mod github_oidc;
mod handed_over;
mod identity_center_generations;
mod instance_break_out;
mod keys_made_by_a_session;
mod logging_stopped;
mod missing_grant;
mod one_key_two_places;
mod other_partitions;
mod people;
mod role_hunt;
mod role_juggling;
mod saml_and_identity_center;
mod service_linked_role;
mod session_tokens;
mod stolen_instance_credentials;
mod three_accounts;
mod two_hats;
mod two_in_one_second;
mod vendor_account;
mod workloads;

use std::fs;
use std::path::Path;

use super::clock::hms;
use super::delivery::{Layout, Tally, check_fresh, deliver};
use super::stage::Stage;
use super::truth;
use crate::error::{Error, Result};

/// One story as it is told.
pub struct Story {
    /// Its folder.
    pub name: &'static str,
    /// Whether the logs come from an organization trail.
    pub organization: bool,
    /// What it shows and what the right answer is, in Markdown.
    pub page: &'static str,
    /// Tells it.
    pub play: fn(&mut Stage),
}

/// A story that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryInfo {
    /// Its folder.
    pub name: &'static str,
    /// What it shows: the heading of its page.
    pub title: &'static str,
    /// Distinct events.
    pub events: u64,
    /// Log files.
    pub files: u64,
}

/// Every story, in the order they are best read. The place of a story decides its identifiers, so new
/// ones go to the end.
const STORIES: &[Story] = &[
    two_hats::STORY,
    three_accounts::STORY,
    stolen_instance_credentials::STORY,
    saml_and_identity_center::STORY,
    github_oidc::STORY,
    console_switch_role::STORY,
    service_linked_role::STORY,
    missing_grant::STORY,
    vendor_account::STORY,
    denied_attempts::STORY,
    session_tokens::STORY,
    two_in_one_second::STORY,
    clean::STORY,
    keys_made_by_a_session::STORY,
    workloads::STORY,
    certificates_and_app_users::STORY,
    contradictions::STORY,
    console_and_programs::STORY,
    identity_center_generations::STORY,
    other_partitions::STORY,
    handed_over::STORY,
    instance_break_out::STORY,
    one_key_two_places::STORY,
    role_juggling::STORY,
    federation_outlives_key::STORY,
    role_hunt::STORY,
    logging_stopped::STORY,
];

/// Identifiers of stories come from blocks that no world reaches.
const FIRST_BLOCK: u64 = 1 << 20;

/// Writes every story into its folder below `out`.
pub fn tell(out: &Path, seed: u64) -> Result<Vec<StoryInfo>> {
    STORIES
        .iter()
        .enumerate()
        .map(|(number, story)| {
            tell_one(story, FIRST_BLOCK + number as u64, seed, &out.join(story.name))
        })
        .collect()
}

fn tell_one(story: &Story, block: u64, seed: u64, folder: &Path) -> Result<StoryInfo> {
    check_fresh(folder)?;
    let mut stage = Stage::new(seed, block, false);
    stage.now = hms(9, 0, 0);
    (story.play)(&mut stage);
    let layout = Layout {
        organization: story.organization.then_some("o-exampleorg"),
        per_file: 12,
        repeats: 200,
    };
    let tally = hand_on(story, &mut stage, layout, folder)?;
    let mut lines = String::from(truth::HEADER);
    stage.records.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
    for record in &stage.records {
        record.behind.write_line(&record.id, &mut lines);
    }
    write(&folder.join("truth.csv"), &lines)?;
    write(&folder.join("README.md"), story.page)?;
    let title = story.page.lines().next().unwrap_or_default().trim_start_matches("# ");
    let events = stage.records.len() as u64;
    Ok(StoryInfo { name: story.name, title, events, files: tally.files })
}

/// Most logs lie in a bucket as CloudTrail delivers them.
fn hand_on(story: &Story, stage: &mut Stage, layout: Layout, folder: &Path) -> Result<Tally> {
    if story.name == handed_over::STORY.name {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        return handed_over::hand_over(stage, layout, folder);
    }
    deliver(&stage.records, layout, &mut stage.dice, folder)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::io(path))
}
