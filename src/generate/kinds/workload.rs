//! Machines and jobs that a service gives a role to: ECS tasks, CodeBuild builds, machines that Systems
//! Manager manages, things of IoT. What tells them apart is the session name that the service chose.

use std::sync::Arc;

use super::service_role::{ServiceAsk, assume_by_service};
use crate::generate::cast::Cast;
use crate::generate::clock::{HOUR, Seconds};
use crate::generate::desk::{Desk, REGIONS};
use crate::generate::identity::Caller;
use crate::generate::people::Role;
use crate::generate::stage::{Loss, Stage};

/// A service that runs workloads.
#[derive(Debug, Clone, Copy)]
pub enum Workload {
    /// A task of ECS.
    EcsTask,
    /// A build of CodeBuild.
    Build,
    /// A machine outside AWS, registered with Systems Manager.
    ManagedInstance,
    /// A thing that shows its certificate to IoT.
    Thing,
}

impl Workload {
    /// All of them.
    pub const ALL: [Workload; 4] =
        [Workload::EcsTask, Workload::Build, Workload::ManagedInstance, Workload::Thing];

    fn service(self) -> &'static str {
        match self {
            Workload::EcsTask => "ecs-tasks.amazonaws.com",
            Workload::Build => "codebuild.amazonaws.com",
            Workload::ManagedInstance => "ssm.amazonaws.com",
            Workload::Thing => "credentials.iot.amazonaws.com",
        }
    }

    fn name(self, stage: &mut Stage) -> String {
        match self {
            Workload::EcsTask => stage.dice.hex(32),
            Workload::Build => format!("AWSCodeBuild-{}", stage.dice.guid()),
            Workload::ManagedInstance => format!("mi-{}", stage.dice.hex(17)),
            Workload::Thing => format!("press-{}", stage.dice.hex(6)),
        }
    }
}

/// The service takes the role for the workload; returns the session. Some services leave the role's
/// id out of the response.
pub fn start(
    stage: &mut Stage,
    workload: Workload,
    role: &Arc<Role>,
    at: Seconds,
    region: &'static str,
    loss: Loss,
) -> Caller {
    let name = workload.name(stage);
    let ask = ServiceAsk {
        lifetime: 6 * HOUR,
        shows_user: matches!(workload, Workload::ManagedInstance | Workload::Thing),
        loss,
        ..ServiceAsk::new(workload.service(), role, &name, at, region)
    };
    assume_by_service(stage, &ask)
}

/// A workload runs.
pub fn scene(stage: &mut Stage, cast: &Cast) {
    let member = cast.member(&mut stage.dice);
    let role = cast.role(&mut stage.dice, member);
    let region = *stage.dice.pick(&REGIONS);
    let workload = *stage.dice.pick(&Workload::ALL);
    let desk = Desk { region, ..Desk::program(&mut stage.dice) };
    let (at, loss) = (stage.now, stage.draw_loss());
    let session = start(stage, workload, &role, at, region, loss);
    stage.work(&session, &desk, at, 1800, (3, 14));
}
