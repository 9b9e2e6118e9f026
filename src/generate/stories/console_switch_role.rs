//! Switching role in the console.

use super::Story;
use super::people::{FIRST, SECOND, browser, role, user};
use crate::generate::clock::hms;
use crate::generate::kinds::{console, switch_role};
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "console-switch-role",
    organization: false,
    play,
    page: "# Switching role in the console

grace signs in to the console of 111111111111 with MFA at 14:00:00 and switches to `OperationsRole` in
222222222222 at 14:10:30. Three records in one second tell of it: both halves of the AssumeRole call,
made by `AWS Internal`, and the `SwitchRole` event with grace's own address. The calls that follow use
keys that no record ever issued; only principal id and creation date join them.

**Right answer:** the session `grace` of `OperationsRole` belongs to
`arn:aws:iam::111111111111:user/grace`, depth 1. The console calls before the switch are grace's own, depth 0.
",
};

fn play(stage: &mut Stage) {
    let grace = user(stage, FIRST, "grace");
    let operations = role(stage, SECOND, "/", "OperationsRole");
    let desk = browser("198.51.100.77");
    let signed_in = console::user_login(stage, &grace, &desk, hms(14, 0, 0));
    console::browse(stage, &signed_in, &desk, hms(14, 0, 5), (8, 8));
    let at = hms(14, 10, 30);
    let loss = Loss::Nothing;
    let session = switch_role::switch(stage, &signed_in, "grace", &operations, &desk, at, loss);
    console::browse(stage, &session, &desk, at, (12, 12));
}
