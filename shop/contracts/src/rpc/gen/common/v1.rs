//! Package `shop.common.v1`, made by `cargo xtask codegen` of `shop/contracts/proto`.
//! Change that instead: what is written here by hand is lost.

/// An amount of money. Never a fraction, and never without its currency.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Money {
    /// Minor units: cents.
    #[prost(int64, tag = "1")]
    pub amount: i64,
    /// ISO 4217: three capital letters.
    #[prost(string, tag = "2")]
    pub currency: ::prost::alloc::string::String,
}
/// So many of one product.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Item {
    /// The product.
    #[prost(string, tag = "1")]
    pub sku: ::prost::alloc::string::String,
    /// How many, from 1 on.
    #[prost(int64, tag = "2")]
    pub quantity: i64,
}
/// Where a parcel goes.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ShipTo {
    /// Who receives it: 1 to 100 characters.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// Street and number: 1 to 200 characters.
    #[prost(string, tag = "2")]
    pub address: ::prost::alloc::string::String,
    /// City: 1 to 100 characters.
    #[prost(string, tag = "3")]
    pub city: ::prost::alloc::string::String,
    /// ISO 3166-1: two capital letters.
    #[prost(string, tag = "4")]
    pub country: ::prost::alloc::string::String,
}
