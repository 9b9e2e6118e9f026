//! Two roles that assume each other for as long as somebody likes.

use super::Story;
use super::people::{FIRST, SECOND, role, terminal, user};
use crate::generate::clock::hms;
use crate::generate::identity::Caller;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::stage::Stage;

pub const STORY: Story = Story {
    name: "role-juggling",
    organization: false,
    play,
    page: "# Juggling roles

- ruth takes `Ping` in 111111111111 at 09:00 and from there `Pong` in 222222222222 at 09:50, from there `Ping` again at
  10:40, `Pong` at 11:30 and `Ping` at 12:20. Every session ends after an hour, and every next one begins before:
  her long-term key was used once, and she still works at 12:50.
- sam goes from `Ping` (14:00) to `Pong` (14:10) and back to `Ping` (14:20), and is done at 14:31, before his first
  session ends.

**Right answer:** all of it is `arn:aws:iam::111111111111:user/ruth` or `user/sam`, exact, to depth 5. Only ruth's loop
outlived its first expiry, by almost three hours. At 11:35 two of her sessions are valid, both at the end of the chain.
",
};

fn play(stage: &mut Stage) {
    let (ruth, sam) = (user(stage, FIRST, "ruth"), user(stage, FIRST, "sam"));
    let ping = role(stage, FIRST, "/", "Ping");
    let pong = role(stage, SECOND, "/", "Pong");
    let desk = terminal("198.51.100.91");
    let mut holder = Caller::user(&ruth);
    stage.series(&holder, &desk, hms(8, 59, 0), &["GetCallerIdentity"]);
    for n in 0..5 {
        let at = hms(9, 50 * n, 0);
        let role = if n % 2 == 0 { &ping } else { &pong };
        holder = assume(stage, &Assume::new(&holder, role, &format!("job-{n}"), at, &desk));
        stage.series(&holder, &desk, at + 60, &["GetObject", "DescribeInstances"]);
    }
    stage.series(&holder, &desk, hms(12, 50, 0), &["PutObject"]);

    let desk = terminal("198.51.100.92");
    let mut holder = Caller::user(&sam);
    for (n, role) in [&ping, &pong, &ping].into_iter().enumerate() {
        let at = hms(14, 10 * n as i64, 0);
        holder = assume(stage, &Assume::new(&holder, role, "sam", at, &desk));
        stage.series(&holder, &desk, at + 60, &["DescribeStacks"]);
    }
    stage.series(&holder, &desk, hms(14, 31, 0), &["GetObject"]);
}
