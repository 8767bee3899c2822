//! What the certificate promises, beside what second looks find; and its end, where the promise is broken.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Desk, DeskError};
use crate::score::{Certificate, Stratum, Verdict, at_any_time};
use crate::store::revocations::{self, Breach, Found};

/// The chance that a certificate whose promise holds is ever revoked: shared out over its strata.
const LEVEL: f64 = 0.05;

/// The certificate in use, and whether it still accepts anything.
#[derive(Serialize, JsonSchema)]
pub(super) struct Promise {
    /// The beginning of its SHA-256.
    certificate: String,
    /// Of what it accepts in a stratum, less than this is wrong.
    target_risk: f64,
    confidence: f64,
    revoked: Option<Revoked>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Revoked {
    field: String,
    /// How the readings came about: `accepted`, or `blank`.
    manner: &'static str,
    judged: u64,
    wrong: u64,
    low: f64,
    at: chrono::DateTime<chrono::Utc>,
}

pub(super) async fn promise(desk: &Desk) -> Result<Option<Promise>, DeskError> {
    let Some(certificate) = &desk.certificate else { return Ok(None) };
    let revocation = revocations::of(&desk.database, certificate.sha256).await?;
    Ok(Some(Promise {
        certificate: certificate.sha256.to_string()[..12].to_owned(),
        target_risk: certificate.content.target_risk,
        confidence: certificate.content.confidence,
        revoked: revocation.map(|revocation| {
            let Breach { found: Found { key, judged, wrong }, low, .. } = revocation.breach;
            let (manner, at) = (manner(key.stratum), revocation.revoked_at);
            Revoked { field: key.field, manner, judged, wrong, low, at }
        }),
    }))
}

fn manner(stratum: Stratum) -> &'static str {
    match stratum {
        Stratum::Written => "accepted",
        Stratum::Blank => "blank",
    }
}

/// What is promised of a field that came about so; none of what people decided, or where nothing is proven.
pub(super) fn promised(certificate: &Certificate, field: &str, of_manner: &str) -> Option<f64> {
    let stratum =
        [Stratum::Written, Stratum::Blank].into_iter().find(|&stratum| manner(stratum) == of_manner)?;
    match certificate.field(field, stratum)?.verdict {
        Verdict::Certified { .. } => Some(certificate.target_risk),
        Verdict::TooLittleEvidence { .. } | Verdict::NotCalibrated { .. } => None,
    }
}

/// Captures a transaction; a record is some 50 kB.
const CHUNK: u32 = 500;

/// Stops whoever would be paid by what a revoked certificate accepted. What was being published when it was revoked
/// is looked at once more when it is all in.
pub(super) async fn stop_households(desk: &Desk, actor: &str) -> Result<(), DeskError> {
    for (certificate, all_in) in revocations::to_keep(&desk.database).await? {
        let mut after = None;
        loop {
            after = revocations::stop_households(&desk.database, certificate, after, CHUNK, actor).await?;
            if after.is_none() {
                break;
            }
        }
        if all_in {
            revocations::kept(&desk.database, certificate).await?;
        }
    }
    Ok(())
}

/// Revokes the certificate in use where a stratum's rate of errors is above the promised one, whatever the
/// time of looking. A worker that publishes afterwards accepts nothing under it, and nobody is paid until
/// [`stop_households`] has looked through all captures: the desk's timer does, not whoever found the last error.
pub(super) async fn hold_to_it(desk: &Desk, actor: &str) -> Result<(), DeskError> {
    let Some(certificate) = &desk.certificate else { return Ok(()) };
    let found = revocations::found(&desk.database, certificate.sha256).await?;
    let Some(breach) = found.into_iter().find_map(|found| breach(&certificate.content, found)) else {
        return Ok(());
    };
    if revocations::revoke(&desk.database, certificate.sha256, &breach, actor).await? {
        tracing::error!(
            certificate = %certificate.sha256,
            stratum = %breach.found.key,
            "second looks found more errors than the certificate promises: it is revoked, and nothing more is \
             accepted; see `uketsuke status`"
        );
    }
    Ok(())
}

fn breach(certificate: &Certificate, found: Found) -> Option<Breach> {
    let target = promised(certificate, &found.key.field, manner(found.key.stratum))?;
    let strata = certificate.fields.iter().filter(|field| matches!(field.verdict, Verdict::Certified { .. }));
    let (low, _) = at_any_time(found.wrong, found.judged, LEVEL / strata.count().max(1) as f64);
    (low > target).then_some(Breach { found, low, target })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::digest::Sha256;
    use crate::score::{Applies, Basis, CERTIFICATE_SCHEMA, FieldCertificate, Histogram, StratumKey};

    fn certificate() -> Certificate {
        let field = |name: &str, verdict| FieldCertificate {
            field: name.to_owned(),
            stratum: Stratum::Written,
            readings: 5000,
            verdict,
            reference: Histogram { edges: vec![0.9], counts: vec![1000, 4000] },
        };
        let certified =
            Verdict::Certified { threshold: 0.9, accepted: 4000, errors: 0, bound: 0.001, coverage: 0.8 };
        Certificate {
            schema: CERTIFICATE_SCHEMA.to_owned(),
            made_at: DateTime::UNIX_EPOCH,
            software: "test".to_owned(),
            basis: Basis::Proven,
            target_risk: 0.0014,
            confidence: 0.95,
            method: "test".to_owned(),
            applies: Applies::default(),
            calibration: Sha256::of(b"calibration"),
            data: "made up".to_owned(),
            applications: 5000,
            fields: vec![
                field("phone", certified),
                field("bank_code", Verdict::TooLittleEvidence { accepted: 10, errors: 0, missing: 2000 }),
            ],
        }
    }

    #[test]
    fn a_promise_is_broken_by_more_errors_than_chance_brings_and_by_no_fewer() {
        let found = |field: &str, judged, wrong| Found {
            key: StratumKey::new(field, Stratum::Written),
            judged,
            wrong,
        };
        let is_breach = |found| breach(&certificate(), found).is_some();
        assert!(!is_breach(found("phone", 1, 1)), "one error is no proof");
        assert!(!is_breach(found("phone", 5000, 7)), "what was promised");
        assert!(is_breach(found("phone", 100, 8)));
        assert!(is_breach(found("phone", 5000, 40)));
        assert!(!is_breach(found("bank_code", 100, 50)), "nothing was promised of it");
        let Breach { low, target, .. } = breach(&certificate(), found("phone", 100, 8)).expect("a breach");
        assert!(low > target && low < 0.08);
    }
}
