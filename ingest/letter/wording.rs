//! What is wrong, and what is to be done about it, in the words of a letter.

use crate::approve::{Deficiency, ReturnReason};
use crate::check::{Defect, FindingCode};

/// One row of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wording {
    pub wrong: String,
    pub request: String,
}

pub(super) fn wording(deficiency: &Deficiency) -> Wording {
    let (wrong, request) = match deficiency {
        Deficiency::Finding { page, code, defect } => return of_finding(*page, *code, *defect),
        Deficiency::Field { field, .. } => return of_field(field),
        Deficiency::Returned { reason, .. } => match reason {
            ReturnReason::Number => (
                "ご指定の口座に振り込むことができませんでした（口座が確認できません）。",
                "通帳又はキャッシュカードをご覧になり、金融機関・支店・預金の種類・口座番号を正しく記入してください。",
            ),
            ReturnReason::Holder => (
                "ご指定の口座に振り込むことができませんでした（口座名義が金融機関の登録と異なります）。",
                "通帳に記載されているとおりの口座名義を、カタカナで記入してください。",
            ),
            ReturnReason::Closed => (
                "ご指定の口座に振り込むことができませんでした（解約などにより使用できない口座です）。",
                "現在お使いになっている、世帯主ご本人名義の別の口座を記入してください。",
            ),
            ReturnReason::Other => (
                "ご指定の口座に振り込むことができませんでした。",
                "世帯主ご本人名義の口座を、通帳又はキャッシュカードのとおりに記入してください。",
            ),
        },
    };
    Wording { wrong: wrong.to_owned(), request: request.to_owned() }
}

fn of_finding(page: u32, code: FindingCode, defect: Option<Defect>) -> Wording {
    let (wrong, request) = match code {
        FindingCode::MissingPage if defect == Some(Defect::D10) => {
            return Wording {
                wrong: format!("書類の写しを貼り付ける用紙（{page}枚目）が届いていません。"),
                request: format!(
                    "本人確認書類の写しと、振込先口座が確認できる書類（通帳など）の写しを{page}枚目に貼り付けて、お送りください。"
                ),
            };
        }
        FindingCode::MissingPage => {
            return Wording {
                wrong: format!("申請書の{page}枚目が届いていません。"),
                request: format!("同封の申請書の{page}枚目に必要事項を記入して、お送りください。"),
            };
        }
        FindingCode::Declined => (
            "「給付金の受給を希望しない」の欄に記入があります。",
            "受給を希望される場合は、その欄に何も記入せずに再提出してください。希望されない場合のみ、×印を記入してください。",
        ),
        FindingCode::SignatureMissing => (
            "署名（又は記名押印）がありません。",
            "「署名（又は記名押印）」の欄に、世帯主（申請・受給者）ご本人が署名してください。",
        ),
        FindingCode::DateImplausible => (
            "申請日の記入がない、又は日付に誤りがあります。",
            "「申請日」の欄に、申請書を記入した日を記入してください。",
        ),
        FindingCode::AccountRoute if defect == Some(Defect::D12) => (
            "振込先の口座が二つ記入されている、又は選ばれた受取口座と記入された口座が異なります。",
            "受取を希望する口座を一つだけ選び、その口座のみを記入してください。",
        ),
        FindingCode::AccountRoute => (
            "振込先の口座が記入されていません。",
            "世帯主（申請・受給者）ご本人名義の口座を一つ記入してください。",
        ),
        FindingCode::BankUnknown | FindingCode::BankNameDisagrees => (
            "金融機関名と金融機関コードから、金融機関を確認できませんでした。",
            "通帳又はキャッシュカードをご覧になり、金融機関名と金融機関コード（４桁）を記入してください。コードがわからないときは、名称のみを記入してください。",
        ),
        FindingCode::BranchUnknown | FindingCode::BranchNameDisagrees => (
            "支店名と支店コードから、支店を確認できませんでした。",
            "通帳又はキャッシュカードをご覧になり、支店名と支店コード（３桁）を記入してください。コードがわからないときは、名称のみを記入してください。",
        ),
        FindingCode::AccountTypeMissing => {
            ("預金の種類（普通・当座）が選ばれていません。", "口座の種類に該当するほうに印をつけてください。")
        }
        FindingCode::AccountNumber => (
            "口座番号を確認できませんでした。",
            "通帳又はキャッシュカードをご覧になり、口座番号を右詰めで記入してください。",
        ),
        FindingCode::YuchoNumber | FindingCode::YuchoCheckDigit => (
            "ゆうちょ銀行の通帳記号・番号を確認できませんでした。",
            "通帳又はキャッシュカードに記載された記号（５桁）と番号を記入してください。",
        ),
        FindingCode::HolderBlank => (
            "口座名義（フリガナ）が記入されていません。",
            "通帳に記載されているとおりの口座名義を、カタカナで記入してください。",
        ),
        FindingCode::HolderNotLegal => (
            "口座名義（フリガナ）を確認できませんでした。",
            "通帳に記載されているとおりの口座名義を、カタカナで、１マスに１字ずつ記入してください。",
        ),
        FindingCode::IdentityCopyMissing => {
            return Wording {
                wrong: "本人確認書類の写しがありません。".to_owned(),
                request: format!(
                    "世帯主（申請・受給者）ご本人の本人確認書類（運転免許証など。マイナンバーカードは表面のみ）の写しを{page}枚目に貼り付けて、お送りください。"
                ),
            };
        }
        FindingCode::IdentityCopyExpired => {
            return Wording {
                wrong: "本人確認書類の有効期限が、申請日の前に過ぎています。".to_owned(),
                request: format!(
                    "有効期限内の本人確認書類（運転免許証など。マイナンバーカードは表面のみ）の写しを{page}枚目に貼り付けて、お送りください。"
                ),
            };
        }
        FindingCode::AccountCopyMissing => {
            return Wording {
                wrong: "振込先口座が確認できる書類（通帳又はキャッシュカード）の写しがありません。"
                    .to_owned(),
                request: format!(
                    "金融機関名・支店名・口座番号・口座名義（カナ）がわかる部分の写しを{page}枚目に貼り付けて、お送りください。"
                ),
            };
        }
        FindingCode::AccountCopyDiffers => (
            "記入された口座が、通帳又はキャッシュカードの写しと一致しません。",
            "振込先の口座を通帳又はキャッシュカードのとおりに記入し、その写しを添えてください。",
        ),
        FindingCode::HolderDiffers => return holder(),
        // Not the applicant's matter, and not asked of them.
        FindingCode::NotInRegister
        | FindingCode::SheetSidesDisagree
        | FindingCode::NotRegistered
        | FindingCode::SingleSymbol
        | FindingCode::Unconfirmed
        | FindingCode::AssignedByHand
        | FindingCode::SentAgain
        | FindingCode::TakenOver
        | FindingCode::SensitiveNumberRemoved
        | FindingCode::CopyBlackedOut
        | FindingCode::IdentityCopyUnreadable
        | FindingCode::IdentityCopyDiffers
        | FindingCode::AccountCopyUnreadable
        | FindingCode::DuplicateApplication
        | FindingCode::AmountDiffers
        | FindingCode::SameAccount => {
            ("申請書の記載内容を確認できませんでした。", "同封の申請書に、あらためて記入してください。")
        }
    };
    Wording { wrong: wrong.to_owned(), request: request.to_owned() }
}

fn holder() -> Wording {
    Wording {
        wrong: "口座名義が、世帯主（申請・受給者）ご本人のお名前であることを確認できませんでした。".to_owned(),
        request: "世帯主ご本人名義の口座を記入してください。改姓などによりお名前が異なる場合は、ご本人の口座であることがわかる書類の写しを添えてください。"
            .to_owned(),
    }
}

/// Of a field that the municipality has written anew.
fn of_field(field: &str) -> Wording {
    let name = match field {
        "account_holder_kana" => return holder(),
        "application_date" => "申請日",
        "phone" => "電話番号",
        "declined" => "「給付金の受給を希望しない」の欄",
        "account_route" => "受取口座の選択",
        "bank_name" => "金融機関名",
        "bank_code" => "金融機関コード",
        "branch_name" => "支店名",
        "branch_code" => "支店コード",
        "account_type" => "預金の種類（普通・当座）",
        "account_number" => "口座番号",
        "yucho_symbol" => "ゆうちょ銀行の通帳記号",
        "yucho_number" => "ゆうちょ銀行の通帳番号",
        "signature" => "署名（又は記名押印）",
        _ => "申請書の記載内容",
    };
    Wording {
        wrong: format!("{name}を確認できませんでした。"),
        request: format!("{name}を、あらためてはっきりと記入してください。"),
    }
}
