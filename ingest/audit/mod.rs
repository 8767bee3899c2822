//! The proof that nobody changed an event: seals over events, each chained to the one before.
//!
//! [`Seal`] says what is digested; [`verify`] walks the chain and names the first event or seal that
//! does not fit; [`seal_until`] makes new seals as events come. A chain that only the owner of the
//! database holds proves nothing against them: [`Export`] is the part that is kept elsewhere.

mod export;
mod seal;
mod sealer;
mod verify;

pub use export::{EXPORT_SCHEMA, Export, ExportError};
pub use seal::{Entry, Event, Place, Seal, SealHead};
pub use sealer::{seal_all, seal_until};
pub use verify::{Flaw, Verified, verify};
