//! Numbers for the municipality: a table a spreadsheet reads, and a page with plots. No application is
//! named in either.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Utc};

use crate::approve::State;
use crate::check::{Defect, FindingCode, JAPAN};

/// What is counted each day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Applications whose first form arrived.
    Received,
    /// Further forms of the same application.
    Repeated,
    /// Forms that were read, further ones too.
    Read,
    /// Fields that were accepted by the machine, as written or as blank; and those that were left to people.
    FieldsAccepted,
    FieldsDoubtful,
    /// Forms in which something was found that the municipality has a code for.
    Defective,
    /// Fields that people decided.
    Decided,
    /// Fields that the municipality was asked about.
    Escalated,
    /// Approved on accepted fields alone.
    ApprovedByMachine,
    ApprovedWithPeople,
    /// Deficiency letters.
    Letters,
    /// Payments that the bank was asked for, and their yen.
    Requested,
    RequestedYen,
    Returned,
}

impl Measure {
    pub const ALL: [Self; 14] = [
        Self::Received,
        Self::Repeated,
        Self::Read,
        Self::FieldsAccepted,
        Self::FieldsDoubtful,
        Self::Defective,
        Self::Decided,
        Self::Escalated,
        Self::ApprovedByMachine,
        Self::ApprovedWithPeople,
        Self::Letters,
        Self::Requested,
        Self::RequestedYen,
        Self::Returned,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Repeated => "repeated",
            Self::Read => "read",
            Self::FieldsAccepted => "fields_accepted",
            Self::FieldsDoubtful => "fields_doubtful",
            Self::Defective => "defective",
            Self::Decided => "decided",
            Self::Escalated => "escalated",
            Self::ApprovedByMachine => "approved_by_machine",
            Self::ApprovedWithPeople => "approved_with_people",
            Self::Letters => "letters",
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
            Self::Read => "読取(通)",
            Self::FieldsAccepted => "自動で確定した項目",
            Self::FieldsDoubtful => "人の確認に回した項目",
            Self::Defective => "不備のあった申請書(通)",
            Self::Decided => "人が確認した項目",
            Self::Escalated => "市への照会(項目)",
            Self::ApprovedByMachine => "自動のみで支払可",
            Self::ApprovedWithPeople => "人の確認を経て支払可",
            Self::Letters => "不備通知(通)",
            Self::Requested => "振込依頼(件)",
            Self::RequestedYen => "振込依頼(円)",
            Self::Returned => "組戻・返却(件)",
        }
    }
}

/// A day and a district.
pub type DayAndDistrict = (NaiveDate, String);

/// What is found, as the municipality and as records call it.
pub type Found = (Option<Defect>, FindingCode);

/// What the report tells of.
#[derive(Debug, Clone, Default)]
pub struct CityReport {
    pub days: BTreeMap<DayAndDistrict, BTreeMap<Measure, u64>>,
    /// Applications of the register by state.
    pub states: BTreeMap<State, u64>,
    /// Captures by what was found in them when they were read.
    pub findings: BTreeMap<DayAndDistrict, BTreeMap<Found, u64>>,
}

/// What is plotted by day.
const PLOTTED: [Measure; 9] = [
    Measure::Received,
    Measure::Read,
    Measure::ApprovedByMachine,
    Measure::ApprovedWithPeople,
    Measure::Decided,
    Measure::Defective,
    Measure::Escalated,
    Measure::Letters,
    Measure::Requested,
];

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

    /// A row a day, district and finding.
    pub fn defects_csv(&self) -> String {
        let mut csv = "day,district,defect,finding,forms\n".to_owned();
        for ((day, district), found) in &self.findings {
            for ((defect, code), forms) in found {
                let defect = defect.map(|defect| format!("{defect:?}")).unwrap_or_default();
                csv += &format!("{day},{},{defect},{code:?},{forms}\n", quoted(district));
            }
        }
        csv
    }

    /// A page that asks nobody for anything.
    pub fn html(&self, made_at: DateTime<Utc>) -> String {
        let mut page = HEAD.to_owned();
        page += &format!("<p>{} 現在</p>", made_at.with_timezone(&JAPAN).format("%Y-%m-%d %H:%M"));
        let totals = sums(&self.days, |_| ()).remove(&()).unwrap_or_default();
        let of_measures = Measure::ALL
            .map(|measure| (measure.japanese().to_owned(), totals.get(&measure).copied().unwrap_or(0)));
        page += &table("累計", &of_measures);
        page += &self.districts();
        let by_day = sums(&self.days, |(day, _)| *day);
        for measure in PLOTTED {
            let bars: Vec<(NaiveDate, u64)> = by_day
                .iter()
                .map(|(&day, numbers)| (day, numbers.get(&measure).copied().unwrap_or(0)))
                .collect();
            page += &plot(measure.japanese(), &bars);
        }
        let states: Vec<(String, u64)> =
            self.states.iter().map(|(state, number)| (state.name().to_owned(), *number)).collect();
        page += &table("申請の状態", &states);
        let findings: Vec<(String, u64)> = sums(&self.findings, |_| ())
            .remove(&())
            .unwrap_or_default()
            .iter()
            .map(|((defect, code), number)| {
                let defect = defect.map(|defect| format!("{defect:?} ")).unwrap_or_default();
                (format!("{defect}{code:?}"), *number)
            })
            .collect();
        page += &table("読取時の指摘(不備コード別、申請書の通数)", &findings);
        page + "</body>\n</html>\n"
    }

    /// A row a district, where there are several.
    fn districts(&self) -> String {
        let by_district = sums(&self.days, |(_, district)| district.clone());
        if by_district.len() < 2 {
            return String::new();
        }
        let mut html = "<h2>地区別</h2>\n<table>\n<tr><th></th>".to_owned();
        Measure::ALL.iter().for_each(|measure| html += &format!("<th>{}</th>", measure.japanese()));
        html += "</tr>\n";
        for (district, numbers) in &by_district {
            let district = if district.is_empty() { "(不明)" } else { district };
            html += &format!("<tr><td>{}</td>", escaped(district));
            Measure::ALL
                .iter()
                .for_each(|measure| html += &format!("<td>{}</td>", numbers.get(measure).unwrap_or(&0)));
            html += "</tr>\n";
        }
        html + "</table>\n"
    }
}

/// Numbers added up by what `part` makes of their day and district.
fn sums<Part: Ord, Key: Ord + Copy>(
    numbers: &BTreeMap<DayAndDistrict, BTreeMap<Key, u64>>,
    part: impl Fn(&DayAndDistrict) -> Part,
) -> BTreeMap<Part, BTreeMap<Key, u64>> {
    let mut sums: BTreeMap<Part, BTreeMap<Key, u64>> = BTreeMap::new();
    for (of, numbers) in numbers {
        let sum = sums.entry(part(of)).or_default();
        numbers.iter().for_each(|(&key, number)| *sum.entry(key).or_default() += number);
    }
    sums
}

const HEAD: &str = "<!doctype html>\n<html lang=\"ja\">\n<head>\n<meta charset=\"utf-8\">\n<title>受付状況</title>\n<style>\n\
     body { font: 1rem/1.6 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }\n\
     table { border-collapse: collapse; margin-bottom: 2rem; }\n\
     td, th { border-bottom: 1px solid #ccc; padding: .2rem 1rem; text-align: left; }\n\
     td + td { text-align: right; font-variant-numeric: tabular-nums; }\n\
     rect { fill: #0b4f8a; }\n\
     text { font-size: 11px; fill: #333; }\n</style>\n</head>\n<body>\n<h1>受付状況</h1>\n";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

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
            findings: BTreeMap::from([(
                (day(1), "中区".to_owned()),
                BTreeMap::from([((Some(Defect::D07), FindingCode::HolderDiffers), 2)]),
            )]),
        }
    }

    #[test]
    fn the_table_has_a_row_a_day_and_district() {
        let csv = report().csv();
        let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(rows[0][..5], ["day", "district", "received", "repeated", "read"]);
        assert_eq!(rows[0].len(), 2 + Measure::ALL.len());
        assert!(csv.contains("\n2020-06-01,\"a,b\",4,0,") && csv.contains("\n2020-06-02,中区,1,0,"), "{csv}");
        assert_eq!(csv.lines().count(), 4);
        assert_eq!(
            report().defects_csv(),
            "day,district,defect,finding,forms\n2020-06-01,中区,D07,HolderDiffers,2\n"
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
            "<tr><td>中区</td><td>4</td>",
        ] {
            assert!(page.contains(told), "{told}\n{page}");
        }
        assert!(!page.contains("http") && !page.contains("<script"));
        assert_eq!(page.matches("<svg").count(), 1, "of what never happened there is no plot");
    }
}
