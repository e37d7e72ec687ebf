//! The accept queue: how many connections may wait to be accepted when many clients come at once.

use crate::finding::Finding;
use crate::{Plan, read};

const CHECK: &str = "accept queue";

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    vec![match read::number("/proc/sys/net/core/somaxconn") {
        Ok(somaxconn) => judge(somaxconn, u64::from(plan.backlog)),
        Err(error) => Finding::unseen(CHECK, &error),
    }]
}

fn judge(somaxconn: u64, backlog: u64) -> Finding {
    let found = format!("net.core.somaxconn {somaxconn}, socket.listen.backlog.size {backlog}");
    if somaxconn < backlog {
        let advice =
            format!("the kernel cuts the setting to its own limit: sysctl -w net.core.somaxconn={backlog}");
        return Finding::better(CHECK, found, advice);
    }
    Finding::ok(CHECK, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn a_kernel_that_cuts_the_setting_could_be_better() {
        assert_eq!(judge(128, 511).state, State::CouldBeBetter);
        assert_eq!(judge(4096, 50).state, State::Ok);
    }
}
