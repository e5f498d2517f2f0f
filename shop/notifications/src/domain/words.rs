//! Money and reasons in words that people read.

use shop_contracts::Money;

/// Currencies without minor units.
const WHOLE: [&str; 6] = ["CLP", "ISK", "JPY", "KRW", "PYG", "VND"];

/// An amount as people write it: `12.50 USD`.
pub fn money(money: &Money) -> String {
    let Money { amount, currency } = money;
    if WHOLE.contains(&&**currency) {
        return format!("{amount} {currency}");
    }
    let (sign, amount) = (if *amount < 0 { "-" } else { "" }, amount.unsigned_abs());
    format!("{sign}{}.{:02} {currency}", amount / 100, amount % 100)
}

/// Why an order went wrong, as a clause. A reason that has no words yet is shown as it is.
pub fn reason(code: Option<&str>) -> String {
    match code {
        None => "something did not work out".to_owned(),
        Some("cancelled") => "you cancelled it".to_owned(),
        Some("unknown_account") => "the account does not exist".to_owned(),
        Some("not_the_owner") => "the account is not yours".to_owned(),
        Some("account_closed") => "the account is closed".to_owned(),
        Some("wrong_currency") => "the account is in another currency".to_owned(),
        Some("insufficient_funds") => "there was not enough money on the account".to_owned(),
        Some("out_of_stock") => "we do not have enough of it".to_owned(),
        Some("unknown_product") => "we do not sell one of the items".to_owned(),
        Some("country_not_served") => "we do not ship to that country".to_owned(),
        Some(other) => other.replace('_', " "),
    }
}
