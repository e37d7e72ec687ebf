//! Administrative questions, each to the node that answers it. Errors inside an answer become [`super::Error`].

pub(crate) mod configs;
pub(crate) mod groups;
pub(crate) mod topics;
pub(crate) mod transactions;

use pagewire_wire::{ErrorCode, Request};

use super::Result;
use super::routing::{Client, Target, Which};

impl Client {
    /// Asks the controller, and the next one where it has moved. `judge` finds the error in an answer.
    async fn on_controller<R: Request, T>(
        &mut self,
        build: impl Fn(i16) -> R,
        judge: impl Fn(R::Response) -> Result<T>,
    ) -> Result<T> {
        let mut retry = self.retry();
        loop {
            let error = match judge(self.call(Target::Controller, i16::MAX, &build).await?) {
                Err(error) if error.code() == Some(ErrorCode::NotController) => error,
                judged => return judged,
            };
            retry.after(error).await?;
            self.metadata(Which::Named(&[])).await?;
        }
    }
}
