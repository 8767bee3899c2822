//! The decision: all evidence of a page's symbols together, or the reason why there is none.

use super::claim::{Claim, resembles_ours};
use super::{Identification, Identity, PageCode, Symbol, UnassignedReason};
use crate::form::{Form, FormPage, Forms, SymbolRole, Symbology};

/// Identifies a page by its symbols.
///
/// A symbol with any other text is ignored; two symbols, or two decoders, that contradict each
/// other leave the page unassigned, whatever else speaks for one of them. Where only a 1D code is
/// legible, `fits` says whether a form's page lies on the image with its marks and that code in
/// their places: exactly one must.
pub fn identify(
    symbols: &[Symbol],
    forms: &Forms,
    fits: impl Fn(&Form, &FormPage) -> bool,
) -> Identification {
    decide(symbols, forms, fits).map_or_else(Identification::Unassigned, Identification::Identified)
}

fn decide(
    symbols: &[Symbol],
    forms: &Forms,
    fits: impl Fn(&Form, &FormPage) -> bool,
) -> Result<Identity, UnassignedReason> {
    if symbols.is_empty() {
        return Err(UnassignedReason::NoSymbol);
    }
    let claims: Vec<(&Symbol, Claim)> =
        symbols.iter().filter_map(|symbol| Some((symbol, Claim::of(symbol)?))).collect();
    if claims.iter().any(|(symbol, _)| contradicted(symbol, symbols)) {
        return Err(UnassignedReason::DecodersDisagree);
    }
    let Some(application_id) = claims.first().map(|(_, claim)| claim.application_id()) else {
        return Err(UnassignedReason::NoValidId);
    };
    let mut codes: Vec<&PageCode> = claims.iter().filter_map(|(_, claim)| page_code(claim)).collect();
    codes.dedup();
    if codes.len() > 1 || claims.iter().any(|(_, claim)| claim.application_id() != application_id) {
        return Err(UnassignedReason::SymbolsDisagree);
    }
    let (form, page) = match codes.first() {
        Some(code) => page_of_code(code, forms),
        None => page_by_place(&claims, forms, fits),
    }?;
    let mut carried_by: Vec<Symbology> = claims.iter().map(|(symbol, _)| symbol.symbology).collect();
    carried_by.sort();
    carried_by.dedup();
    Ok(Identity {
        application_id,
        form: form.id.clone(),
        version: form.version.clone(),
        page: page.number,
        issue: codes.first().map(|code| code.issue),
        carried_by,
        confirmed: claims.iter().any(|(symbol, _)| symbol.decoders.len() > 1),
    })
}

/// Whether another decoder read something else of ours in the same place.
fn contradicted(symbol: &Symbol, symbols: &[Symbol]) -> bool {
    symbols.iter().any(|other| {
        other.symbology == symbol.symbology
            && other.text != symbol.text
            && other.covers_centre_of(symbol)
            && resembles_ours(other.symbology, &other.text)
            && Claim::of(other) != Claim::of(symbol)
    })
}

fn page_code(claim: &Claim) -> Option<&PageCode> {
    match claim {
        Claim::Page(code) => Some(code),
        Claim::Application(_) => None,
    }
}

fn page_of_code<'a>(code: &PageCode, forms: &'a Forms) -> Result<(&'a Form, &'a FormPage), UnassignedReason> {
    let form = forms.find(&code.form, &code.version).ok_or(UnassignedReason::UnknownForm)?;
    let page = form.page(code.page).ok_or(UnassignedReason::UnknownForm)?;
    Ok((form, page))
}

/// The one page that lies on the image as its 1D code and its marks say.
fn page_by_place<'a>(
    claims: &[(&Symbol, Claim)],
    forms: &'a Forms,
    fits: impl Fn(&Form, &FormPage) -> bool,
) -> Result<(&'a Form, &'a FormPage), UnassignedReason> {
    let all_pages = forms.iter().flat_map(|form| form.pages.iter().map(move |page| (form, page)));
    let mut possible =
        all_pages.filter(|(_, page)| claims.iter().any(|(symbol, _)| has_place(page, symbol))).peekable();
    if possible.peek().is_none() {
        return Err(UnassignedReason::UnknownForm);
    }
    let mut fitting = possible.filter(|(form, page)| fits(form, page));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(UnassignedReason::AmbiguousPage),
    }
}

fn has_place(page: &FormPage, symbol: &Symbol) -> bool {
    let holds_it = |role, symbology| role == SymbolRole::ApplicationId && symbology == symbol.symbology;
    page.symbols.iter().any(|place| holds_it(place.role, place.symbology))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::PointPx;
    use crate::identify::Decoder;
    use crate::page::synthetic::{form_page, forms};
    use proptest::prelude::*;

    const ID: &str = "6291041500213";
    const OTHER_ID: &str = "0000000000017";

    /// A symbol of 100 pixels at (`left`, 0), read by zxing.
    fn symbol(symbology: Symbology, text: &str, left: f64) -> Symbol {
        let corners =
            [(0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0)].map(|(x, y)| PointPx { x: x + left, y });
        Symbol { symbology, text: text.to_owned(), corners, decoders: vec![Decoder::Zxing] }
    }

    fn qr(text: &str) -> Symbol {
        symbol(Symbology::Qr, text, 0.0)
    }

    fn code128(text: &str) -> Symbol {
        symbol(Symbology::Code128, text, 500.0)
    }

    fn decided(symbols: &[Symbol]) -> Result<Identity, UnassignedReason> {
        decide(symbols, &forms(vec![form_page(1), form_page(2)]), |_, page| page.number == 2)
    }

    fn reason(symbols: &[Symbol]) -> UnassignedReason {
        decided(symbols).expect_err("unassigned")
    }

    #[test]
    fn both_symbols_together() {
        let mut symbols = [qr(&format!("U1|synthetic|1|1|{ID}")), code128(ID)];
        let identity = decided(&symbols).expect("identified");
        assert_eq!((identity.application_id.to_string().as_str(), identity.page), (ID, 1));
        assert_eq!(identity.carried_by, [Symbology::Qr, Symbology::Code128]);
        assert!(!identity.confirmed);
        symbols[1].decoders.push(Decoder::Zbar);
        assert!(decided(&symbols).expect("identified").confirmed);
    }

    #[test]
    fn a_1d_code_alone_needs_the_one_page_that_fits() {
        let identity = decided(&[code128(ID)]).expect("identified");
        assert_eq!((identity.page, identity.carried_by), (2, vec![Symbology::Code128]));
        let both = forms(vec![form_page(1), form_page(2)]);
        for fits in [true, false] {
            let reason = decide(&[code128(ID)], &both, |_, _| fits);
            assert_eq!(reason, Err(UnassignedReason::AmbiguousPage));
        }
    }

    #[test]
    fn nothing_is_guessed() {
        let code = qr(&format!("U1|synthetic|1|1|{ID}"));
        assert_eq!(reason(&[]), UnassignedReason::NoSymbol);
        assert_eq!(reason(&[code128("6291041500214")]), UnassignedReason::NoValidId, "wrong check digit");
        assert_eq!(reason(&[code128("629104150021")]), UnassignedReason::NoValidId, "a digit short");
        assert_eq!(reason(&[qr("https://example.org"), code128("CAT-No.4")]), UnassignedReason::NoValidId);
        assert_eq!(reason(&[code.clone(), code128(OTHER_ID)]), UnassignedReason::SymbolsDisagree);
        let other_page = symbol(Symbology::Qr, &format!("U1|synthetic|1|2|{ID}"), 900.0);
        assert_eq!(reason(&[code, other_page]), UnassignedReason::SymbolsDisagree);
        assert_eq!(reason(&[qr(&format!("U1|synthetic|2|1|{ID}"))]), UnassignedReason::UnknownForm);
        assert_eq!(reason(&[qr(&format!("U1|synthetic|1|3|{ID}"))]), UnassignedReason::UnknownForm);
        assert_eq!(reason(&[symbol(Symbology::Itf, &format!("0{ID}"), 0.0)]), UnassignedReason::UnknownForm);
    }

    #[test]
    fn decoders_that_disagree_leave_the_page_unassigned() {
        let code = qr(&format!("U1|synthetic|1|1|{ID}"));
        let against = Symbol { decoders: vec![Decoder::Zbar], ..code128("6291041500214") };
        let symbols = [code, code128(ID), against];
        assert_eq!(reason(&symbols), UnassignedReason::DecodersDisagree);
        // The same text somewhere else on the page is another symbol, and no ID of ours.
        let [code, printed, mut stray] = symbols;
        stray.corners = stray.corners.map(|corner| PointPx { x: corner.x + 300.0, ..corner });
        assert!(decided(&[code, printed, stray]).is_ok());
    }

    #[test]
    fn what_a_symbology_wraps_around_the_id_is_taken_off() {
        let mut page = form_page(1);
        for (symbology, text) in [
            (Symbology::Nw7, format!("A{ID}B")),
            (Symbology::Nw7, ID.to_owned()),
            (Symbology::Itf, format!("0{ID}")),
        ] {
            page.symbols[1].symbology = symbology;
            let identity = decide(&[symbol(symbology, &text, 0.0)], &forms(vec![page.clone()]), |_, _| true);
            assert_eq!(
                identity.map(|identity| identity.application_id.to_string()).as_deref(),
                Ok(ID),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn stray_symbols_never_relabel(texts in prop::collection::vec("[0-9A-Z|:/.]{0,16}", 0..5)) {
            let strays: Vec<Symbol> = (texts.iter().zip([Symbology::Qr, Symbology::Code39, Symbology::Code128].iter().cycle()))
                .enumerate()
                .map(|(place, (text, &symbology))| symbol(symbology, text, 1000.0 + 200.0 * place as f64))
                .filter(|stray| Claim::of(stray).is_none())
                .collect();
            let own = [qr(&format!("U1|synthetic|1|1|{ID}")), code128(ID)];
            let all: Vec<Symbol> = strays.iter().chain(&own).cloned().collect();
            prop_assert_eq!(decided(&all), decided(&own));
            prop_assert!(decided(&strays).is_err());
        }
    }
}
