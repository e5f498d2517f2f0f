//! Where parcels go: data. An order to anywhere else is undone.

/// The countries that are served (ISO 3166-1), sorted. Antarctica (`AQ`) is not among them: nobody
/// is there to sign.
pub const SERVED: &[&str] = &[
    "AR", "AT", "AU", "BE", "BG", "BR", "CA", "CH", "CL", "CO", "CY", "CZ", "DE", "DK", "EE", "ES",
    "FI", "FR", "GB", "GR", "HR", "HU", "IE", "IL", "IN", "IS", "IT", "JP", "KR", "LI", "LT", "LU",
    "LV", "MT", "MX", "NL", "NO", "NZ", "PE", "PL", "PT", "RO", "RS", "SE", "SG", "SI", "SK", "TR",
    "TW", "UA", "US", "UY", "ZA",
];

/// Whether parcels go there.
pub fn is_served(country: &str) -> bool {
    SERVED.binary_search(&country).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_nobody_ships_to_antarctica() {
        assert!(SERVED.is_sorted(), "the search relies on it");
        assert!(
            SERVED.iter().all(|it| it.len() == 2 && it.bytes().all(|b| b.is_ascii_uppercase()))
        );
        assert!(!is_served("AQ"));
        assert!(!is_served("us"));
        for country in ["US", "DE", "FR", "GB", "NL", "SE", "JP", "BR", "AU", "ZA"] {
            assert!(is_served(country), "{country}");
        }
    }
}
