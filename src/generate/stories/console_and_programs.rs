//! Sessions that move between API and console.

use super::Story;
use super::people::{FIRST, SECOND, browser, role, terminal, user};
use crate::generate::clock::hms;
use crate::generate::identity::Caller;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::kinds::aws_login::{Program, login};
use crate::generate::kinds::console_from_api::{arrive, get_signin_token};
use crate::generate::kinds::{console, switch_role};
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "console-and-programs",
    organization: false,
    play,
    page: "# From the API to the console, and from the console to programs

**Right answers**

- paula takes `Auditor` in 222222222222 by program at 09:00:00, asks for a sign-in token at 09:05:00 and is in
  the console at 09:06:00: `arn:aws:iam::111111111111:user/paula`, depth 1 in both. The console session has a
  creation date of its own; the token shortly before it joins the two (`signin_token`, inferred).
- quinn signs in to the console at 10:00:00, switches to `Operator` at 10:05:00 and signs in a command line
  with `aws login` at 10:10:00. Its key is announced nowhere; its calls show principal and creation date of the
  console session, so they are quinn's, depth 1.
- At 10:20:00 quinn signs in an agent. The token names a sign-in session, and the agent's calls show it:
  `sign_in_session`, exact; quinn, depth 1.
- At 11:05:00 the console renews the role (`RenewRole`): a new session of quinn. `ExitRole` at 11:30:00 issues
  nothing, and which session it ended cannot be said.
",
};

fn play(stage: &mut Stage) {
    let paula = user(stage, FIRST, "paula");
    let quinn = user(stage, FIRST, "quinn");
    let auditor = role(stage, SECOND, "/", "Auditor");
    let operator = role(stage, SECOND, "/", "Operator");
    let (desk, page) = (terminal("198.51.100.210"), browser("198.51.100.210"));
    let as_paula = Caller::user(&paula);
    let ask = Assume::new(&as_paula, &auditor, "paula", hms(9, 0, 0), &desk);
    let session = assume(stage, &ask);
    stage.series(&session, &desk, hms(9, 1, 0), &["GetCallerIdentity", "DescribeTrails"]);
    get_signin_token(stage, &session, &desk, hms(9, 5, 0));
    let at = hms(9, 6, 0);
    let in_console = arrive(stage, &session, &page, at);
    console::browse(stage, &in_console, &page, at, (4, 4));

    let page = browser("198.51.100.211");
    let signed_in = console::user_login(stage, &quinn, &page, hms(10, 0, 0));
    let at = hms(10, 5, 0);
    let session =
        switch_role::switch(stage, &signed_in, "quinn", &operator, &page, at, Loss::Nothing);
    console::browse(stage, &session, &page, at, (3, 3));
    let desk = terminal("198.51.100.211");
    let cli = login(stage, &session, Program::CommandLine, &page, hms(10, 10, 0));
    stage.series(&cli, &desk, hms(10, 11, 0), &["GetCallerIdentity", "StopInstances"]);
    let agent = login(stage, &session, Program::Agent, &page, hms(10, 20, 0));
    stage.series(&agent, &desk, hms(10, 21, 0), &["DescribeInstances", "GetParameter"]);

    let of = (&signed_in, "quinn");
    let at = hms(11, 5, 0);
    let renewed = switch_role::hop(stage, "RenewRole", of, &operator, &page, at, Loss::Nothing);
    console::browse(stage, &renewed, &page, at, (3, 3));
    switch_role::exit(stage, &renewed, &page, hms(11, 30, 0));
}
