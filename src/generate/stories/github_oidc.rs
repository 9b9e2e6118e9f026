//! A workflow that deploys.

use super::Story;
use super::people::{FIRST, REGION, SECOND, role};
use crate::generate::clock::hms;
use crate::generate::desk::Desk;
use crate::generate::kinds::assume_role::{Assume, assume};
use crate::generate::kinds::web_identity::{GITHUB, Token, assume_with_token};
use crate::generate::stage::{Loss, Stage};

pub const STORY: Story = Story {
    name: "github-oidc",
    organization: false,
    play,
    page: "# A GitHub workflow deploys

Two workflows take `GithubDeployRole` in 111111111111 under the same session name `GitHubActions`, five
minutes apart. One of them goes on to `ProductionDeployRole` in 222222222222 at 11:02:20 and changes a
function there.

**Right answer:** the production session `deploy-381` has the origin
`repo:exampleorg/shop:ref:refs/heads/main` (`WebIdentityUser`), depth 2. The other workflow is
`repo:exampleorg/docs:ref:refs/heads/main` and never left 111111111111.
",
};

fn play(stage: &mut Stage) {
    let deploy = role(stage, FIRST, "/", "GithubDeployRole");
    let production = role(stage, SECOND, "/", "ProductionDeployRole");
    let agent =
        "aws-sdk-nodejs/3.565.0 linux/v20.12.2 configure-aws-credentials-for-github-actions";
    let desk = Desk::new("192.0.2.140", agent, REGION);
    let mut sessions = Vec::new();
    for (subject, at) in [
        ("repo:exampleorg/docs:ref:refs/heads/main", hms(10, 56, 0)),
        ("repo:exampleorg/shop:ref:refs/heads/main", hms(11, 1, 0)),
    ] {
        let ask = Token {
            issuer: GITHUB,
            subject,
            role: &deploy,
            session: "GitHubActions",
            at,
            desk: &desk,
            loss: Loss::Nothing,
        };
        let session = assume_with_token(stage, &ask);
        stage.series(
            &session,
            &desk,
            at + 4,
            &["GetCallerIdentity", "PutObject", "DescribeStacks"],
        );
        sessions.push(session);
    }
    let ask = Assume::new(&sessions[1], &production, "deploy-381", hms(11, 2, 20), &desk);
    let session = assume(stage, &ask);
    let calls =
        ["GetFunction20150331v2", "UpdateFunctionConfiguration20150331v2", "CreateLogStream"];
    stage.series(&session, &desk, hms(11, 2, 30), &calls);
}
