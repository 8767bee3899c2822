//! From what was read and decided to what is paid: whether an application may be paid, and the state
//! that it is in.
//!
//! Comes in: the record of a capture, what people decided since, and what is known of the household.
//! Goes out: a payment's account, payee and amount, or everything that is still in the way, and what of it
//! the applicant must mend; and a state that follows from what has happened. Nothing here writes, and no
//! state is ever set.

mod deficiency;
#[cfg(test)]
mod fixture;
mod settle;
mod standing;
mod state;
mod verdict;

pub use deficiency::{Deficiency, Mending, mending};
pub use settle::settle;
pub use standing::{Counts, Decided, ReturnReason, Returned, Standing, StopReason, effective_capture};
pub use state::{Facts, Further, PaymentState, PublicState, State, state};
pub use verdict::{Approved, Case, Obstacle, Verdict};
