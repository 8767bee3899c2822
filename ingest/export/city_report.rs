//! Numbers for the municipality: a table a spreadsheet reads, and a page with plots. No application is
//! named in either.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Utc};

use crate::approve::State;
use crate::check::{Defect, FindingCode};

/// What is counted each day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Applications whose first form was read.
    Received,
    /// Further forms of the same application.
    Repeated,
    /// Fields that people decided.
    Decided,
    /// Fields that the municipality was asked about.
    Escalated,
    /// Approved on accepted fields alone.
    ApprovedByMachine,
    ApprovedWithPeople,
    /// Payments that the bank was asked for, and their yen.
    Requested,
    RequestedYen,
    Returned,
}

impl Measure {
    pub const ALL: [Self; 9] = [
        Self::Received,
        Self::Repeated,
        Self::Decided,
        Self::Escalated,
        Self::ApprovedByMachine,
        Self::ApprovedWithPeople,
        Self::Requested,
        Self::RequestedYen,
        Self::Returned,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Repeated => "repeated",
            Self::Decided => "decided",
            Self::Escalated => "escalated",
            Self::ApprovedByMachine => "approved_by_machine",
            Self::ApprovedWithPeople => "approved_with_people",
            Self::Requested => "requested",
            Self::RequestedYen => "requested_yen",
            Self::Returned => "returned",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.name() == name)
    }

    fn japanese(self) -> &'static str {
        match self {
            Self::Received => "受付(申請)",
            Self::Repeated => "再提出・重複(通)",
            Self::Decided => "人が確認した項目",
            Self::Escalated => "市への照会(項目)",
            Self::ApprovedByMachine => "自動のみで支払可",
            Self::ApprovedWithPeople => "人の確認を経て支払可",
            Self::Requested => "振込依頼(件)",
            Self::RequestedYen => "振込依頼(円)",
            Self::Returned => "組戻・返却(件)",
        }
    }
}

/// What the report tells of.
#[derive(Debug, Clone, Default)]
pub struct CityReport {
    pub days: BTreeMap<(NaiveDate, String), BTreeMap<Measure, u64>>,
    /// Applications of the register by state.
    pub states: BTreeMap<State, u64>,
    /// Captures by what was found in them when they were read.
    pub findings: BTreeMap<(Option<Defect>, FindingCode), u64>,
}

impl CityReport {
    /// A row a day and district.
    pub fn csv(&self) -> String {
        let mut csv = "day,district".to_owned();
        Measure::ALL.iter().for_each(|measure| csv += &format!(",{}", measure.name()));
        csv.push('\n');
        for ((day, district), numbers) in &self.days {
            csv += &format!("{day},{}", quoted(district));
            Measure::ALL
                .iter()
                .for_each(|measure| csv += &format!(",{}", numbers.get(measure).unwrap_or(&0)));
            csv.push('\n');
        }
        csv
    }

    /// A page that asks nobody for anything.
    pub fn html(&self, made_at: DateTime<Utc>) -> String {
        let mut totals: BTreeMap<Measure, u64> = BTreeMap::new();
        let mut by_day: BTreeMap<NaiveDate, BTreeMap<Measure, u64>> = BTreeMap::new();
        for ((day, _), numbers) in &self.days {
            for (&measure, &number) in numbers {
                *totals.entry(measure).or_default() += number;
                *by_day.entry(*day).or_default().entry(measure).or_default() += number;
            }
        }
        let mut page = HEAD.to_owned();
        page += &format!("<p>{} 現在</p>", made_at.format("%Y-%m-%d %H:%M UTC"));
        let of_measures = Measure::ALL
            .map(|measure| (measure.japanese().to_owned(), totals.get(&measure).copied().unwrap_or(0)));
        page += &table("累計", &of_measures);
        for measure in
            [Measure::Received, Measure::ApprovedWithPeople, Measure::ApprovedByMachine, Measure::Requested]
        {
            let bars: Vec<(NaiveDate, u64)> = by_day
                .iter()
                .map(|(&day, numbers)| (day, numbers.get(&measure).copied().unwrap_or(0)))
                .collect();
            page += &plot(measure.japanese(), &bars);
        }
        let states: Vec<(String, u64)> =
            self.states.iter().map(|(state, number)| (state.name().to_owned(), *number)).collect();
        page += &table("申請の状態", &states);
        let findings: Vec<(String, u64)> = self
            .findings
            .iter()
            .map(|((defect, code), number)| {
                let defect = defect.map(|defect| format!("{defect:?} ")).unwrap_or_default();
                (format!("{defect}{code:?}"), *number)
            })
            .collect();
        page += &table("読取時の指摘(不備コード別)", &findings);
        page + "</body>\n</html>\n"
    }
}

const HEAD: &str = "<!doctype html>\n<html lang=\"ja\">\n<head>\n<meta charset=\"utf-8\">\n<title>受付状況</title>\n<style>\n\
     body { font: 1rem/1.6 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }\n\
     table { border-collapse: collapse; margin-bottom: 2rem; }\n\
     td, th { border-bottom: 1px solid #ccc; padding: .2rem 1rem; text-align: left; }\n\
     td + td { text-align: right; font-variant-numeric: tabular-nums; }\n\
     rect { fill: #0b4f8a; }\n\
     text { font-size: 11px; fill: #333; }\n</style>\n</head>\n<body>\n<h1>受付状況</h1>\n";

/// With quotes where a spreadsheet needs them.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn table(title: &str, rows: &[(String, u64)]) -> String {
    let mut html = format!("<h2>{title}</h2>\n<table>\n");
    for (name, number) in rows {
        // Writing to a text never fails.
        let _ = writeln!(html, "<tr><td>{name}</td><td>{number}</td></tr>");
    }
    html + "</table>\n"
}

/// Of the picture.
const HEIGHT: f64 = 160.0;
const BAR: f64 = 14.0;

/// A bar a day; the highest is named, and the first and last day.
fn plot(title: &str, bars: &[(NaiveDate, u64)]) -> String {
    let Some(most) = bars.iter().map(|(_, number)| *number).max().filter(|&most| most > 0) else {
        return String::new();
    };
    let width = (bars.len() as f64 * BAR).max(200.0);
    let mut svg = format!(
        "<h2>{title}(日別)</h2>\n<svg viewBox=\"0 0 {width} {}\" width=\"{width}\" height=\"{}\" role=\"img\" aria-label=\"{title}\">\n\
         <text x=\"0\" y=\"11\">最大 {most}</text>\n",
        HEIGHT + 40.0,
        HEIGHT + 40.0
    );
    for (place, (day, number)) in bars.iter().enumerate() {
        let height = HEIGHT * *number as f64 / most as f64;
        let (x, y) = (place as f64 * BAR, 16.0 + HEIGHT - height);
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y:.1}\" width=\"{}\" height=\"{height:.1}\"><title>{day}: {number}</title></rect>",
            BAR - 3.0
        );
    }
    if let (Some((first, _)), Some((last, _))) = (bars.first(), bars.last()) {
        let _ = writeln!(svg, "<text x=\"0\" y=\"{}\">{first} ～ {last}</text>", HEIGHT + 34.0);
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> CityReport {
        let day = |day| NaiveDate::from_ymd_opt(2020, 6, day).expect("a date");
        let numbers =
            |received, yen| BTreeMap::from([(Measure::Received, received), (Measure::RequestedYen, yen)]);
        CityReport {
            days: BTreeMap::from([
                ((day(1), "中区".to_owned()), numbers(3, 0)),
                ((day(1), "a,b".to_owned()), numbers(4, 200_000)),
                ((day(2), "中区".to_owned()), numbers(1, 0)),
            ]),
            states: BTreeMap::from([(State::Awaited, 9)]),
            findings: BTreeMap::from([((Some(Defect::D07), FindingCode::HolderDiffers), 2)]),
        }
    }

    #[test]
    fn the_table_has_a_row_a_day_and_district() {
        assert_eq!(
            report().csv(),
            "day,district,received,repeated,decided,escalated,approved_by_machine,approved_with_people,requested,requested_yen,returned\n\
             2020-06-01,\"a,b\",4,0,0,0,0,0,0,200000,0\n\
             2020-06-01,中区,3,0,0,0,0,0,0,0,0\n\
             2020-06-02,中区,1,0,0,0,0,0,0,0,0\n"
        );
    }

    #[test]
    fn the_page_has_sums_plots_and_defects_and_asks_nobody() {
        let page = report().html(DateTime::UNIX_EPOCH);
        for told in [
            "<td>受付(申請)</td><td>8</td>",
            "2020-06-01: 7",
            "D07 HolderDiffers",
            "<td>awaited</td><td>9</td>",
        ] {
            assert!(page.contains(told), "{told}\n{page}");
        }
        assert!(!page.contains("http") && !page.contains("<script"));
        assert_eq!(page.matches("<svg").count(), 1, "of what never happened there is no plot");
    }
}
