//! The products of the first start: data.

/// A product as it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// What orders call it.
    pub sku: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// In minor units of [`CURRENCY`].
    pub price: i64,
}

/// The currency of every price.
pub const CURRENCY: &str = "USD";
/// How many of each product are on hand at the first start.
pub const ON_HAND: i64 = 100_000;

/// Everything that is for sale.
pub const CATALOGUE: &[Listing] = &[
    listing("bag-harbour", "Harbour canvas bag", 4_900),
    listing("bottle-tarn", "Tarn steel bottle", 2_750),
    listing("chair-fern", "Fern reading chair", 28_900),
    listing("clock-meridian", "Meridian wall clock", 6_400),
    listing("desk-alder", "Alder standing desk", 49_900),
    listing("kettle-ember", "Ember gooseneck kettle", 7_850),
    listing("keyboard-plover", "Plover mechanical keyboard", 12_900),
    listing("lamp-aurora", "Aurora desk lamp", 5_900),
    listing("mug-slate", "Slate coffee mug", 1_400),
    listing("notebook-birch", "Birch dotted notebook", 1_250),
    listing("pen-quill", "Quill fountain pen", 3_600),
    listing("postcard-switchboard", "Switchboard postcard", 150),
    listing("radio-lyra", "Lyra valve radio", 18_500),
    listing("rug-dune", "Dune wool rug", 21_000),
    listing("speaker-wren", "Wren bookshelf speaker", 15_900),
    listing("telephone-exchange", "Exchange rotary telephone", 9_900),
];

const fn listing(sku: &'static str, name: &'static str, price: i64) -> Listing {
    Listing { sku, name, price }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_catalogue_is_what_the_contract_promises() {
        let skus: BTreeSet<_> = CATALOGUE.iter().map(|listing| listing.sku).collect();
        assert!(CATALOGUE.len() >= 12);
        assert_eq!(skus.len(), CATALOGUE.len(), "each sku is listed once");
        assert!(CATALOGUE.iter().all(|listing| (100..=50_000).contains(&listing.price)));
        const { assert!(ON_HAND >= 10_000) };
    }
}
